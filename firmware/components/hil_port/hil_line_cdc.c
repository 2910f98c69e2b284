/* Native USB as a CDC-ACM device (S2, S3, P4), by espressif/esp_tinyusb 2.x. */
#include "hil_port_line.h"

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "tinyusb.h"
#include "tinyusb_cdc_acm.h"
#include "tinyusb_default_config.h"

#define WRITE_MS 1000u
#define POLL_MS 1u
#define USB_PRIORITY 12 /* above the server, which waits for it */
#define USB_CORE 0

static int cdc_read(uint8_t *data, size_t size, uint32_t wait_ms)
{
    for (uint32_t waited = 0;; waited += POLL_MS) {
        size_t count = 0;
        /* "No data" and "not connected" are errors here, and for us both mean: none came. */
        if (tinyusb_cdcacm_read(TINYUSB_CDC_ACM_0, data, size, &count) == ESP_OK && count > 0) {
            return (int)count;
        }
        if (waited >= wait_ms) {
            return 0;
        }
        vTaskDelay(pdMS_TO_TICKS(POLL_MS) > 0 ? pdMS_TO_TICKS(POLL_MS) : 1);
    }
}

static bool cdc_write(const uint8_t *data, size_t size)
{
    bool flushed = false;
    while (size > 0) {
        size_t taken = tinyusb_cdcacm_write_queue(TINYUSB_CDC_ACM_0, data, size);
        if (taken == 0 && flushed) {
            return false; /* an empty queue that takes nothing */
        }
        data += taken;
        size -= taken;
        if (tinyusb_cdcacm_write_flush(TINYUSB_CDC_ACM_0, pdMS_TO_TICKS(WRITE_MS)) != ESP_OK) {
            return false;
        }
        flushed = true;
    }
    return true;
}

const hil_port_line_t *hil_line_cdc_open(void)
{
    static const hil_port_line_t line = {
        .name = "usb_cdc",
        .read = cdc_read,
        .write = cdc_write,
    };
    /* High speed on P4. Its task must not share a core and a priority with inference. */
    tinyusb_config_t device = TINYUSB_DEFAULT_CONFIG();
    device.task.priority = USB_PRIORITY;
    device.task.xCoreID = USB_CORE;
    const tinyusb_config_cdcacm_t port = {.cdc_port = TINYUSB_CDC_ACM_0};
    if (tinyusb_driver_install(&device) != ESP_OK) {
        return NULL;
    }
    return tinyusb_cdcacm_init(&port) == ESP_OK ? &line : NULL;
}
