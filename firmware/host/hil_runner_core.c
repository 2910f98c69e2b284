/* One way to begin, and the same shares of memory, for each virtual board. */
#include "hil_runner_core.h"

#define ENGINE_REFERENCE 0

/* Shares of the memory; the engine's arena takes the rest. */
#define INPUTS_SHARE 8
#define CAPTURES_SHARE 8
#define ROWS_SHARE 16
#define ALIGNMENT 16

static size_t share(size_t whole, size_t part)
{
    return whole / part / ALIGNMENT * ALIGNMENT;
}

/* Each piece is aligned as `memory` is. */
static void cut_memory(hil_server_config_t *config, uint8_t *memory, size_t size)
{
    size_t inputs = share(size, INPUTS_SHARE);
    size_t captures = share(size, CAPTURES_SHARE);
    size_t rows = share(size, ROWS_SHARE);
    config->inputs = memory;
    config->inputs_size = inputs;
    memory += inputs;
    config->captures = memory;
    config->captures_size = captures;
    memory += captures;
    config->rows = (hil_row_t *)(void *)memory;
    config->row_capacity = (uint32_t)(rows / sizeof(hil_row_t));
    memory += rows;
    config->arena = memory;
    config->arena_size = share(size, 1) - inputs - captures - rows;
}

bool hil_runner_core_mount(hil_runner_core_t *core, const hil_flash_t *flash)
{
    hil_ref_engine_init(&core->engine, &core->reference);
    return hil_store_mount(&core->store, flash) == HIL_OK;
}

void hil_runner_core_begin(hil_runner_core_t *core, const hil_settings_t *settings,
                           const hil_port_t *port, hil_engine_t *engine, uint8_t *memory)
{
    core->engines[0] = (hil_server_engine_t){.id = ENGINE_REFERENCE, .engine = engine};
    hil_server_config_t config = {
        .port = *port,
        .identity = settings->identity,
        .store = &core->store,
        .inflate = &core->inflate,
        .engines = core->engines,
        .engine_count = 1,
        .kernels = settings->kernels,
        .latencies = core->latencies,
        .latency_capacity = HIL_RUNNER_LATENCIES,
    };
    cut_memory(&config, memory, settings->psram_bytes);
    hil_server_begin(&core->server, &config);
}
