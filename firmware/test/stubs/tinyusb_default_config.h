/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#define TINYUSB_DEFAULT_CONFIG() (tinyusb_config_t){.port = 0}
