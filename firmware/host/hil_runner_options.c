/* The runner's command line. */
#include <stdio.h>
#include <string.h>

#include "hil_runner_options.h"

#define EXIT_USAGE 2

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

static bool read_option(hil_options_t *options, const char *name, const char *value)
{
    if (strcmp(name, "--fault") == 0) {
        return hil_faults_add(&options->faults, value);
    }
    return hil_settings_read(&options->settings, name, value);
}

bool hil_options_read(hil_options_t *options, int argc, char **argv, int *exit_code)
{
    *exit_code = EXIT_USAGE;
    *options = (hil_options_t){0};
    hil_settings_begin(&options->settings);
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
    if (!hil_settings_complete(&options->settings)) {
        fputs("hil_runner: --target, --flash and --store-size are needed; see --help\n", stderr);
        return false;
    }
    return true;
}
