/*
 * What a virtual board tells its runner, on Linux or on the emulated machine: the same words with
 * the same meaning.
 */
#ifndef HIL_RUNNER_SETTINGS_H
#define HIL_RUNNER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "hil_server.h"

#define HIL_LINE_WINDOW 8 /* frames of the longest kind that a line holds */

typedef struct {
    hil_identity_t identity;
    hil_kernels_t kernels;
    const char *flash_path;
    uint32_t store_offset;
    uint32_t store_size;
    uint32_t psram_bytes;
} hil_settings_t;

void hil_settings_begin(hil_settings_t *settings);
/* Takes one `--name value`; false where it is not understood. Strings stay the caller's. */
bool hil_settings_read(hil_settings_t *settings, const char *name, const char *value);
/* Tells whether everything that has no default was given. */
bool hil_settings_complete(const hil_settings_t *settings);

#endif
