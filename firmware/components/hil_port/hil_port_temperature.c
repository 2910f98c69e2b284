/* The die's temperature, read now and then; the driver is installed once and stays. */
#include "hil_port_temperature.h"

#include <stddef.h>

#include "soc/soc_caps.h"

#if SOC_TEMP_SENSOR_SUPPORTED
#include "driver/temperature_sensor.h" /* component esp_driver_tsens, IDF >= 5.3 */

#define LOWEST 10
#define HIGHEST 80

static temperature_sensor_handle_t sensor; /* NULL: none */

void hil_temperature_begin(void)
{
    const temperature_sensor_config_t config = TEMPERATURE_SENSOR_CONFIG_DEFAULT(LOWEST, HIGHEST);
    temperature_sensor_handle_t fresh = NULL;
    if (temperature_sensor_install(&config, &fresh) != ESP_OK) {
        return;
    }
    if (temperature_sensor_enable(fresh) != ESP_OK) {
        (void)temperature_sensor_uninstall(fresh);
        return;
    }
    sensor = fresh;
}

bool hil_temperature_read(float *celsius)
{
    return sensor != NULL && temperature_sensor_get_celsius(sensor, celsius) == ESP_OK;
}
#else
void hil_temperature_begin(void)
{
}

bool hil_temperature_read(float *celsius)
{
    (void)celsius;
    return false;
}
#endif
