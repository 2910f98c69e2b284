/* USB-Serial-JTAG as the line: a fixed-function USB device that S3, P4, C3, C5, C6 have. */
#include "hil_port_line.h"

#include "driver/usb_serial_jtag.h" /* component esp_driver_usb_serial_jtag, IDF >= 5.3 */
#include "freertos/FreeRTOS.h"

#define TRANSMIT_BYTES 4096u
#define WRITE_MS 1000u /* a host that reads nothing for so long has gone */

static int jtag_read(uint8_t *data, size_t size, uint32_t wait_ms)
{
    return usb_serial_jtag_read_bytes(data, (uint32_t)size, pdMS_TO_TICKS(wait_ms));
}

static bool jtag_write(const uint8_t *data, size_t size)
{
    while (size > 0) {
        /* The driver's ring takes no item larger than half of itself. */
        size_t piece = size < TRANSMIT_BYTES / 4 ? size : TRANSMIT_BYTES / 4;
        int taken = usb_serial_jtag_write_bytes(data, piece, pdMS_TO_TICKS(WRITE_MS));
        if (taken <= 0) {
            return false;
        }
        data += taken;
        size -= (size_t)taken;
    }
    return true;
}

const hil_port_line_t *hil_line_usb_jtag_open(size_t receive_bytes)
{
    static const hil_port_line_t line = {
        .name = "usb_serial_jtag",
        .read = jtag_read,
        .write = jtag_write,
    };
    usb_serial_jtag_driver_config_t config = {
        .tx_buffer_size = TRANSMIT_BYTES,
        .rx_buffer_size = (uint32_t)receive_bytes,
    };
    return usb_serial_jtag_driver_install(&config) == ESP_OK ? &line : NULL;
}
