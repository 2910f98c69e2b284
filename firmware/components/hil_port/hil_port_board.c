/* Identity, clock, restart, fingerprint. */
#include "hil_port_board.h"

#include <stdio.h>
#include <string.h>

#include "esp_app_desc.h" /* IDF >= 5.0 */
#include "esp_chip_info.h"
#include "esp_heap_caps.h"
#include "esp_mac.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "hil_port_temperature.h"
#include "sdkconfig.h"

#define NS_PER_US 1000u

static const char *reason_text(esp_reset_reason_t reason)
{
    switch (reason) {
    case ESP_RST_POWERON:
        return "poweron";
    case ESP_RST_EXT:
        return "pin";
    case ESP_RST_SW:
        return "software";
    case ESP_RST_PANIC:
        return "panic";
    case ESP_RST_INT_WDT:
        return "interrupt watchdog";
    case ESP_RST_TASK_WDT:
        return "task watchdog";
    case ESP_RST_WDT:
        return "watchdog";
    case ESP_RST_BROWNOUT:
        return "brownout";
    case ESP_RST_DEEPSLEEP:
        return "deep sleep";
    case ESP_RST_USB:
        return "usb";
    case ESP_RST_JTAG:
        return "jtag";
    case ESP_RST_PWR_GLITCH:
        return "power glitch";
    case ESP_RST_CPU_LOCKUP:
        return "cpu lock-up";
    default:
        return "unknown";
    }
}

void hil_board_identify(hil_identity_t *identity)
{
    static char revision[16];
    esp_chip_info_t chip;
    esp_chip_info(&chip);
    snprintf(revision, sizeof(revision), "v%u.%u", chip.revision / 100u, chip.revision % 100u);

    const esp_app_desc_t *app = esp_app_get_description();
    identity->target = CONFIG_IDF_TARGET;
    identity->chip_revision = revision;
    identity->firmware_version = app->version;
    identity->reset_reason = reason_text(esp_reset_reason());
    memcpy(identity->firmware_sha256, app->app_elf_sha256, HIL_SHA256_SIZE);
    if (esp_read_mac(identity->mac, ESP_MAC_BASE) != ESP_OK) {
        memset(identity->mac, 0, sizeof(identity->mac)); /* all zero: unknown */
    }
    identity->is_virtual = false;
}

hil_kernels_t hil_board_kernels(void)
{
#if CONFIG_IDF_TARGET_ESP32S3
    return HIL_KERNELS_S3;
#elif CONFIG_IDF_TARGET_ESP32P4 || CONFIG_IDF_TARGET_ESP32S31
    return HIL_KERNELS_P4;
#else
    return HIL_KERNELS_C;
#endif
}

uint64_t hil_board_now_ns(void)
{
    return (uint64_t)esp_timer_get_time() * NS_PER_US;
}

void hil_board_restart(void)
{
    esp_restart();
}

#if defined(CONFIG_SPIRAM_SPEED)
#define PSRAM_MHZ CONFIG_SPIRAM_SPEED
#else
#define PSRAM_MHZ 0
#endif
#if CONFIG_SPIRAM_XIP_FROM_PSRAM
#define XIP "psram"
#else
#define XIP "flash"
#endif

void hil_board_describe(char *text, size_t size)
{
    esp_chip_info_t chip;
    char temperature[24] = "unknown";
    float celsius;
    esp_chip_info(&chip);
    if (hil_temperature_read(&celsius)) {
        snprintf(temperature, sizeof(temperature), "%.1f", (double)celsius);
    }
    snprintf(text, size,
             "idf=%s cores=%u cpu_mhz=%d psram_bytes=%u psram_mhz=%d xip=%s flash_mode=%s "
             "flash_freq=%s temperature_c=%s",
             esp_app_get_description()->idf_ver, (unsigned)chip.cores,
             CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ, (unsigned)heap_caps_get_total_size(MALLOC_CAP_SPIRAM),
             PSRAM_MHZ, XIP, CONFIG_ESPTOOLPY_FLASHMODE, CONFIG_ESPTOOLPY_FLASHFREQ, temperature);
}
