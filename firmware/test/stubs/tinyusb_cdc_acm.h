/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "esp_err.h"
typedef enum { TINYUSB_CDC_ACM_0 = 0 } tinyusb_cdcacm_itf_t;
typedef struct {
    tinyusb_cdcacm_itf_t cdc_port;
    void *callback_rx;
} tinyusb_config_cdcacm_t;
esp_err_t tinyusb_cdcacm_init(const tinyusb_config_cdcacm_t *config);
esp_err_t tinyusb_cdcacm_read(tinyusb_cdcacm_itf_t port, uint8_t *to, size_t size, size_t *count);
size_t tinyusb_cdcacm_write_queue(tinyusb_cdcacm_itf_t port, const uint8_t *from, size_t size);
esp_err_t tinyusb_cdcacm_write_flush(tinyusb_cdcacm_itf_t port, uint32_t ticks);
