/*
 * Fuzz target of the reader and the reference engine: any bytes, any kernel family.
 *
 * The invariant: load either refuses with a status and a text, or run on the loaded model ends; no
 * byte outside the model and the arena is touched. The arena is small, so that a mutated shape
 * costs an error and not minutes.
 */
#include <string.h>

#include "hil_fuzz.h"
#include "hil_fuzz_espdl.h"
#include "hil_ref_engine.h"

#define ARENA_SIZE ((size_t)256 << 10)

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
        HIL_FUZZ_REQUIRE(error.status == status && error.what != NULL);
        HIL_FUZZ_REQUIRE(engine.node_count(&engine) == 0);
        return;
    }
    if (engine.use_test_inputs(&engine) == HIL_OK || engine.input_count(&engine) != 0) {
        status = engine.run(&engine, 1, NULL, &error);
        HIL_FUZZ_REQUIRE(status == HIL_OK || (error.status == status && error.what != NULL));
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

/* Mostly fields of the graph, so that many changed files still load and run. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed)
{
    uint64_t dice = hil_fuzz_dice(seed);
    bool changed = false;
    if (hil_fuzz_below(&dice, 8) != 0) {
        for (size_t count = 1 + hil_fuzz_below(&dice, 3); count > 0; count--) {
            changed = hil_fuzz_espdl_mutate(data, size, &dice) || changed;
        }
    }
    return changed ? size : LLVMFuzzerMutate(data, size, capacity);
}
