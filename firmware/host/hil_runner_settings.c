/* Words and values into settings; chips and their kernels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hil_runner_settings.h"

#define DEFAULT_BAUD 115200u
#define MINIMUM_PSRAM (256u * 1024)

typedef struct {
    const char *name;
    hil_kernels_t kernels;
} chip_t;

static const chip_t CHIPS[] = {
    {"esp32", HIL_KERNELS_C},    {"esp32s2", HIL_KERNELS_C},  {"esp32c2", HIL_KERNELS_C},
    {"esp32c3", HIL_KERNELS_C},  {"esp32c5", HIL_KERNELS_C},  {"esp32c6", HIL_KERNELS_C},
    {"esp32s3", HIL_KERNELS_S3}, {"esp32p4", HIL_KERNELS_P4}, {"esp32s31", HIL_KERNELS_P4},
};

static bool read_target(hil_settings_t *settings, const char *text)
{
    for (size_t i = 0; i < sizeof(CHIPS) / sizeof(CHIPS[0]); i++) {
        if (strcmp(text, CHIPS[i].name) == 0) {
            settings->identity.target = CHIPS[i].name;
            settings->kernels = CHIPS[i].kernels;
            return true;
        }
    }
    return false;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Two digits a byte, with `separator` between bytes unless it is 0; nothing may follow. */
static bool read_hex(uint8_t *bytes, size_t size, char separator, const char *text)
{
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && separator != 0 && *text++ != separator) {
            return false;
        }
        int high = hex_digit(text[0]);
        int low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == 0;
}

static bool read_number(uint32_t *number, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    *number = (uint32_t)value;
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == 0 && value <= UINT32_MAX;
}

void hil_settings_begin(hil_settings_t *settings)
{
    *settings = (hil_settings_t){
        .identity =
            {
                .chip_revision = "v0.0",
                .firmware_version = "unknown",
                .reset_reason = "poweron",
                .is_virtual = true,
                .window = HIL_LINE_WINDOW,
                .chunk_size = HIL_CHUNK_MAX,
                .baud = DEFAULT_BAUD,
            },
        .psram_bytes = 8u * 1024 * 1024,
    };
}

bool hil_settings_read(hil_settings_t *settings, const char *name, const char *value)
{
    hil_identity_t *identity = &settings->identity;
    if (strcmp(name, "--target") == 0) {
        return read_target(settings, value);
    }
    if (strcmp(name, "--revision") == 0) {
        identity->chip_revision = value;
        return true;
    }
    if (strcmp(name, "--mac") == 0) {
        return read_hex(identity->mac, sizeof(identity->mac), ':', value);
    }
    if (strcmp(name, "--firmware-sha256") == 0) {
        return read_hex(identity->firmware_sha256, HIL_SHA256_SIZE, 0, value);
    }
    if (strcmp(name, "--version") == 0) {
        identity->firmware_version = value;
        return true;
    }
    if (strcmp(name, "--reset-reason") == 0) {
        identity->reset_reason = value;
        return true;
    }
    if (strcmp(name, "--flash") == 0) {
        settings->flash_path = value;
        return true;
    }
    if (strcmp(name, "--store-offset") == 0) {
        return read_number(&settings->store_offset, value) &&
               settings->store_offset % HIL_STORE_SECTOR == 0;
    }
    if (strcmp(name, "--store-size") == 0) {
        return read_number(&settings->store_size, value) &&
               settings->store_size % HIL_STORE_SECTOR == 0;
    }
    if (strcmp(name, "--psram") == 0) {
        return read_number(&settings->psram_bytes, value) && settings->psram_bytes >= MINIMUM_PSRAM;
    }
    return false;
}

bool hil_settings_complete(const hil_settings_t *settings)
{
    return settings->identity.target != NULL && settings->flash_path != NULL &&
           settings->store_size != 0;
}
