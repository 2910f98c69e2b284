/*
 * What a virtual board tells its runner, on Linux or on the emulated machine: the same words with
 * the same meaning, and the same shares of memory.
 */
#ifndef HIL_RUNNER_SETTINGS_H
#define HIL_RUNNER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "hil_server.h"

#define HIL_LINE_WINDOW 8 /* frames of the longest kind that a line holds */
#define HIL_RUNNER_LATENCIES 4096

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

/* Cuts `memory`, 16-byte aligned, into the server's pieces, each aligned likewise. */
void hil_settings_cut_memory(hil_server_config_t *config, uint8_t *memory, size_t size);

#endif
