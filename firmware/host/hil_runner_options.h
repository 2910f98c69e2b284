/* The runner's command line. */
#ifndef HIL_RUNNER_OPTIONS_H
#define HIL_RUNNER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "hil_server.h"
#include "hil_runner_faults.h"

typedef struct {
    hil_identity_t identity;
    hil_kernels_t kernels;
    const char *flash_path;
    uint32_t store_offset;
    uint32_t store_size;
    uint32_t psram_bytes;
    hil_faults_t faults;
} hil_options_t;

/* Strings stay those of argv. On failure or after --help: false, and the exit code. */
bool hil_options_read(hil_options_t *options, int argc, char **argv, int *exit_code);

#endif
