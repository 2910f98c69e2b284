/* The chip's own temperature sensor; ESP32 has none. */
#ifndef HIL_PORT_TEMPERATURE_H
#define HIL_PORT_TEMPERATURE_H

#include <stdbool.h>

/* Call once, at start: the driver takes its memory, and runs take none. */
void hil_temperature_begin(void);
/* Degrees Celsius of the die; false where there is no sensor or it refuses. */
bool hil_temperature_read(float *celsius);

#endif
