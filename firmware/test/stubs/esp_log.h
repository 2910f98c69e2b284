/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <stdarg.h>
typedef int (*vprintf_like_t)(const char *format, va_list arguments);
vprintf_like_t esp_log_set_vprintf(vprintf_like_t function);
