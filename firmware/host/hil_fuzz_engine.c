/*
 * Fuzz target of the reader and the reference engine: any bytes, any kernel family.
 *
 * The invariant: load either refuses with a status and a text, or run on the loaded model ends; no
 * byte outside the model and the arena is touched. The arena is small, so that a mutated shape
 * costs an error and not minutes.
 */
#include <stdlib.h>
#include <string.h>

#include "hil_ref_engine.h"

#define ARENA_SIZE ((size_t)256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool invariant)
{
    if (!invariant) {
        abort();
    }
}

static void run_with(hil_kernels_t kernels, const char *target, const uint8_t *model, size_t size)
{
    static _Alignas(16) uint8_t arena[ARENA_SIZE];
    hil_engine_t engine;
    hil_ref_state_t state;
    hil_error_t error;
    hil_ref_engine_init(&engine, &state);
    hil_engine_config_t config = {
        .kernels = kernels, .target = target, .arena = arena, .arena_size = sizeof arena};
    memset(arena, 0xa5, sizeof arena);
    hil_status_t status = engine.load(&engine, &config, model, size, &error);
    if (status != HIL_OK) {
        check(error.status == status && error.what != NULL);
        check(engine.node_count(&engine) == 0);
        return;
    }
    if (engine.use_test_inputs(&engine) == HIL_OK || engine.input_count(&engine) != 0) {
        status = engine.run(&engine, 1, NULL, &error);
        check(status == HIL_OK || (error.status == status && error.what != NULL));
    }
    engine.unload(&engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_with(HIL_KERNELS_C, "esp32", data, size);
    run_with(HIL_KERNELS_S3, "esp32s3", data, size);
    run_with(HIL_KERNELS_P4, "esp32p4", data, size);
    return 0;
}
