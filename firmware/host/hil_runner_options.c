/* The runner's command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hil_runner_options.h"

#define EXIT_USAGE 2
#define DEFAULT_BAUD 115200u
#define MINIMUM_PSRAM (256u * 1024)

static const char HELP[] =
    "usage: hil_runner --target NAME --flash FILE --store-offset N --store-size N [options]\n"
    "\n"
    "The board's application as a Linux program: the wire protocol on stdin and stdout, the\n"
    "model store in FILE. Ends when stdin closes.\n"
    "\n"
    "  --target NAME           chip whose integers to compute: esp32, esp32s3, esp32p4 ...\n"
    "  --revision TEXT         chip revision, e.g. v0.2\n"
    "  --mac XX:XX:XX:XX:XX:XX identity of the unit\n"
    "  --firmware-sha256 HEX   of the application image that the board booted\n"
    "  --version TEXT          firmware version\n"
    "  --reset-reason TEXT     why the board booted: poweron, software, panic ...\n"
    "  --flash FILE            flash image, mapped shared\n"
    "  --store-offset N        of the model partition in FILE; a multiple of 4096\n"
    "  --store-size N          bytes of it; a multiple of 4096\n"
    "  --psram BYTES           memory for model, inputs, captures and node rows (8 MiB)\n"
    "  --fault KIND[:ARG]      injects a fault, below; may be given several times\n"
    "\n"
    "Numbers are decimal, or hexadecimal with 0x.\n"
    "\n"
    "Exit codes: 0 line closed or terminated, 2 usage, 64 reboot on request, 65 sudden reset,\n"
    "66 panic.\n"
    "\n";

typedef struct {
    const char *name;
    hil_kernels_t kernels;
} chip_t;

static const chip_t CHIPS[] = {
    {"esp32", HIL_KERNELS_C},    {"esp32s2", HIL_KERNELS_C},  {"esp32c2", HIL_KERNELS_C},
    {"esp32c3", HIL_KERNELS_C},  {"esp32c5", HIL_KERNELS_C},  {"esp32c6", HIL_KERNELS_C},
    {"esp32s3", HIL_KERNELS_S3}, {"esp32p4", HIL_KERNELS_P4}, {"esp32s31", HIL_KERNELS_P4},
};

static bool read_target(hil_options_t *options, const char *text)
{
    for (size_t i = 0; i < sizeof(CHIPS) / sizeof(CHIPS[0]); i++) {
        if (strcmp(text, CHIPS[i].name) == 0) {
            options->identity.target = CHIPS[i].name;
            options->kernels = CHIPS[i].kernels;
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

static bool read_option(hil_options_t *options, const char *name, const char *value)
{
    hil_identity_t *identity = &options->identity;
    if (strcmp(name, "--target") == 0) {
        return read_target(options, value);
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
        options->flash_path = value;
        return true;
    }
    if (strcmp(name, "--store-offset") == 0) {
        return read_number(&options->store_offset, value) &&
               options->store_offset % HIL_STORE_SECTOR == 0;
    }
    if (strcmp(name, "--store-size") == 0) {
        return read_number(&options->store_size, value) &&
               options->store_size % HIL_STORE_SECTOR == 0;
    }
    if (strcmp(name, "--psram") == 0) {
        return read_number(&options->psram_bytes, value) && options->psram_bytes >= MINIMUM_PSRAM;
    }
    return strcmp(name, "--fault") == 0 && hil_faults_add(&options->faults, value);
}

bool hil_options_read(hil_options_t *options, int argc, char **argv, int *exit_code)
{
    *exit_code = EXIT_USAGE;
    *options = (hil_options_t){
        .identity =
            {
                .chip_revision = "v0.0",
                .firmware_version = "unknown",
                .reset_reason = "poweron",
                .is_virtual = true,
                .baud = DEFAULT_BAUD,
            },
        .psram_bytes = 8u * 1024 * 1024,
    };
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(HELP, stdout);
            fputs(HIL_FAULTS_HELP, stdout);
            *exit_code = 0;
            return false;
        }
        if (i + 1 == argc || !read_option(options, argv[i], argv[i + 1])) {
            fprintf(stderr, "hil_runner: %s %s: not understood; see --help\n", argv[i],
                    i + 1 < argc ? argv[i + 1] : "");
            return false;
        }
    }
    if (options->identity.target == NULL || options->flash_path == NULL ||
        options->store_size == 0) {
        fputs("hil_runner: --target, --flash and --store-size are needed; see --help\n", stderr);
        return false;
    }
    return true;
}
