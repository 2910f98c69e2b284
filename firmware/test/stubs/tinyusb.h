/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "esp_err.h"
typedef struct {
    size_t size;
    uint8_t priority;
    int xCoreID;
} tinyusb_task_config_t;
typedef struct {
    int port;
    tinyusb_task_config_t task;
} tinyusb_config_t;
esp_err_t tinyusb_driver_install(const tinyusb_config_t *config);
