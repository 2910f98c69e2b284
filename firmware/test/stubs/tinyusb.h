/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include "esp_err.h"
typedef struct {
    int port;
} tinyusb_config_t;
esp_err_t tinyusb_driver_install(const tinyusb_config_t *config);
