/* The chip's own temperature sensor; ESP32 has none. */
#ifndef HIL_PORT_TEMPERATURE_H
#define HIL_PORT_TEMPERATURE_H

#include <stdbool.h>

/* Degrees Celsius of the die; false where there is no sensor or it refuses. */
bool hil_temperature_read(float *celsius);

#endif
