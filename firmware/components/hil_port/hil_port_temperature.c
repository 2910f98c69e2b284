/* The die's temperature, read now and then; the driver stays installed after the first reading. */
#include "hil_port_temperature.h"

#include <stddef.h>

#include "soc/soc_caps.h"

#if SOC_TEMP_SENSOR_SUPPORTED
#include "driver/temperature_sensor.h" /* component esp_driver_tsens, IDF >= 5.3 */

#define LOWEST 10
#define HIGHEST 80

bool hil_temperature_read(float *celsius)
{
    static temperature_sensor_handle_t sensor;
    if (sensor == NULL) {
        const temperature_sensor_config_t config =
            TEMPERATURE_SENSOR_CONFIG_DEFAULT(LOWEST, HIGHEST);
        temperature_sensor_handle_t fresh = NULL;
        if (temperature_sensor_install(&config, &fresh) != ESP_OK) {
            return false;
        }
        if (temperature_sensor_enable(fresh) != ESP_OK) {
            (void)temperature_sensor_uninstall(fresh);
            return false;
        }
        sensor = fresh;
    }
    return temperature_sensor_get_celsius(sensor, celsius) == ESP_OK;
}
#else
bool hil_temperature_read(float *celsius)
{
    (void)celsius;
    return false;
}
#endif
