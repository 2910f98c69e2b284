/* The runner's command line. */
#ifndef HIL_RUNNER_OPTIONS_H
#define HIL_RUNNER_OPTIONS_H

#include <stdbool.h>

#include "hil_runner_faults.h"
#include "hil_runner_settings.h"

typedef struct {
    hil_settings_t settings;
    hil_faults_t faults;
} hil_options_t;

/* Strings stay those of argv. On failure or after --help: false, and the exit code. */
bool hil_options_read(hil_options_t *options, int argc, char **argv, int *exit_code);

#endif
