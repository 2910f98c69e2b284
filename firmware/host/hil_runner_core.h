/*
 * Store, reference engine and server put together, as every virtual board has them: what is left
 * to a board is its flash, its line, its clock, and its memory.
 */
#ifndef HIL_RUNNER_CORE_H
#define HIL_RUNNER_CORE_H

#include "hil_ref_engine.h"
#include "hil_runner_settings.h"
#include "hil_server.h"

#define HIL_RUNNER_LATENCIES 4096

typedef struct {
    hil_store_t store;
    hil_inflate_t inflate;
    hil_ref_state_t reference;
    hil_engine_t engine;
    hil_server_engine_t engines[1];
    uint32_t latencies[HIL_RUNNER_LATENCIES];
    hil_server_t server;
} hil_runner_core_t;

/* First: mounts the store and sets the engine up; false where the store does not mount. */
bool hil_runner_core_mount(hil_runner_core_t *core, const hil_flash_t *flash);
/*
 * Then: the server. `engine` is what it gets: the core's own, or one in front of it. It works in
 * `memory`, 16-byte aligned, `settings->psram_bytes` large, and keeps pointing there.
 */
void hil_runner_core_begin(hil_runner_core_t *core, const hil_settings_t *settings,
                           const hil_port_t *port, hil_engine_t *engine, uint8_t *memory);

#endif
