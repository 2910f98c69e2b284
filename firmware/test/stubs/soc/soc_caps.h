/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#if !HIL_TEST_ESP32
#define SOC_TEMP_SENSOR_SUPPORTED 1
#endif
