/* Identity, clock, restart, and the facts that latencies stand on. */
#include "hil_port_board.h"

#include <stdio.h>
#include <string.h>

#include "esp_app_desc.h" /* IDF >= 5.0 */
#include "esp_chip_info.h"
#include "esp_cpu.h" /* esp_cpu_get_cycle_count: IDF >= 5.0 */
#include "esp_heap_caps.h"
#include "esp_mac.h"
#include "esp_system.h"
#include "esp_timer.h"
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

/* --- Facts -------------------------------------------------------------------------------- */

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

#if CONFIG_SPIRAM_XIP_FROM_PSRAM
#define XIP "psram"
#elif CONFIG_SPIRAM_FETCH_INSTRUCTIONS || CONFIG_SPIRAM_RODATA
#define XIP "partly psram"
#else
#define XIP "flash"
#endif
/* CONFIG_ESPTOOLPY_FLASHMODE says "dio" for QIO too: that is how the ROM starts. */
#if CONFIG_ESPTOOLPY_FLASHMODE_QIO
#define FLASH_MODE "qio"
#else
#define FLASH_MODE CONFIG_ESPTOOLPY_FLASHMODE
#endif
#if CONFIG_SPIRAM_MODE_HEX
#define PSRAM_MODE "hex"
#elif CONFIG_SPIRAM_MODE_OCT
#define PSRAM_MODE "octal"
#else
#define PSRAM_MODE "quad"
#endif
#if CONFIG_COMPILER_OPTIMIZATION_PERF
#define OPTIMIZED_FOR "speed"
#else
#define OPTIMIZED_FOR "size or debugging"
#endif

static uint8_t facts_of_this_boot(const hil_fact_t **facts)
{
    static char cores[8], psram_bytes[16], idf[sizeof(((esp_app_desc_t *)0)->idf_ver) + 1];
    static const hil_fact_t known[] = {
        {"cores", cores},
        {"cpu_mhz", TEXT(CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ)},
        {"flash_mode", FLASH_MODE},
        {"flash_freq", CONFIG_ESPTOOLPY_FLASHFREQ},
        {"xip", XIP},
        {"optimized_for", OPTIMIZED_FOR},
        {"psram_bytes", psram_bytes}, /* in the heap */
#if CONFIG_SPIRAM
        {"psram_mode", PSRAM_MODE},
        {"psram_mhz", TEXT(CONFIG_SPIRAM_SPEED)},
#endif
#if defined(CONFIG_CACHE_L2_CACHE_SIZE)
        {"cache_l2_bytes", TEXT(CONFIG_CACHE_L2_CACHE_SIZE)},
        {"cache_l2_line_bytes", TEXT(CONFIG_CACHE_L2_CACHE_LINE_SIZE)},
#elif defined(CONFIG_ESP32S3_DATA_CACHE_SIZE)
        {"cache_data_bytes", TEXT(CONFIG_ESP32S3_DATA_CACHE_SIZE)},
        {"cache_data_line_bytes", TEXT(CONFIG_ESP32S3_DATA_CACHE_LINE_SIZE)},
        {"cache_code_bytes", TEXT(CONFIG_ESP32S3_INSTRUCTION_CACHE_SIZE)},
#endif
        {"idf", idf},
    };
    esp_chip_info_t chip;
    esp_chip_info(&chip);
    snprintf(cores, sizeof(cores), "%u", (unsigned)chip.cores);
    snprintf(psram_bytes, sizeof(psram_bytes), "%u",
             (unsigned)heap_caps_get_total_size(MALLOC_CAP_SPIRAM));
    snprintf(idf, sizeof(idf), "%.*s", (int)(sizeof(idf) - 1), esp_app_get_description()->idf_ver);
    *facts = known;
    return (uint8_t)(sizeof(known) / sizeof(known[0]));
}

/* --- The board ---------------------------------------------------------------------------- */

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
    identity->fact_count = facts_of_this_boot(&identity->facts);
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

uint32_t hil_board_cycles(void)
{
    return (uint32_t)esp_cpu_get_cycle_count();
}

uint64_t hil_board_now_ns(void)
{
    return (uint64_t)esp_timer_get_time() * NS_PER_US;
}

void hil_board_restart(void)
{
    esp_restart();
}
