/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <stdint.h>
int64_t esp_timer_get_time(void);
