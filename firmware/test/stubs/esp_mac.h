/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <stdint.h>
#include "esp_err.h"
typedef enum { ESP_MAC_BASE = 5 } esp_mac_type_t;
esp_err_t esp_read_mac(uint8_t *mac, esp_mac_type_t type);
