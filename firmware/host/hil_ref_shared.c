/*
 * The reference engine as a shared library: a thin C ABI for ctypes.
 *
 * Statuses are those of hil_status.h. Memory is the caller's, as in the engine itself; handles are
 * bytes of `hil_shared_size()` that the caller owns.
 */
#include <stdio.h>
#include <string.h>

#include "hil_ref_engine.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct {
    hil_engine_t engine;
    hil_ref_state_t state;
    hil_error_t error;
} hil_shared_t;

typedef void (*hil_shared_output_t)(uint32_t node_index, uint32_t output_index, const char *node,
                                    uint32_t node_size, const char *value, uint32_t value_size,
                                    int32_t dtype, int32_t exponent, uint32_t rank,
                                    const uint32_t *dims, const void *data, uint32_t size_bytes);

EXPORT size_t hil_shared_size(void);
EXPORT void hil_shared_init(hil_shared_t *shared, int32_t rounding);
EXPORT int32_t hil_shared_load(hil_shared_t *shared, int32_t kernels, const char *target,
                               uint8_t *arena, size_t arena_size, const uint8_t *model,
                               size_t model_size);
EXPORT int32_t hil_shared_info(const hil_shared_t *shared, int32_t output, uint32_t index,
                               const char **name, uint32_t *name_size, int32_t *dtype,
                               int32_t *exponent, uint32_t *rank, uint32_t *dims,
                               uint32_t *size_bytes);
EXPORT int32_t hil_shared_write_input(hil_shared_t *shared, uint32_t index, const void *data,
                                      size_t size);
EXPORT int32_t hil_shared_use_test_inputs(hil_shared_t *shared);
EXPORT int32_t hil_shared_run(hil_shared_t *shared, hil_shared_output_t output);
EXPORT void hil_shared_reset(hil_shared_t *shared);
EXPORT void hil_shared_memory(const hil_shared_t *shared, uint32_t *used, uint32_t *high_water);
EXPORT void hil_shared_error(const hil_shared_t *shared, char *text, size_t text_size,
                             uint32_t *offset);

size_t hil_shared_size(void)
{
    return sizeof(hil_shared_t);
}

void hil_shared_init(hil_shared_t *shared, int32_t rounding)
{
    memset(shared, 0, sizeof *shared);
    hil_ref_engine_init(&shared->engine, &shared->state);
    hil_ref_engine_override_rounding(&shared->state, (hil_rounding_t)rounding);
}

int32_t hil_shared_load(hil_shared_t *shared, int32_t kernels, const char *target, uint8_t *arena,
                        size_t arena_size, const uint8_t *model, size_t model_size)
{
    hil_engine_config_t config = {.kernels = (hil_kernels_t)kernels,
                                  .target = target,
                                  .arena = arena,
                                  .arena_size = arena_size};
    return (int32_t)shared->engine.load(&shared->engine, &config, model, model_size,
                                        &shared->error);
}

int32_t hil_shared_info(const hil_shared_t *shared, int32_t output, uint32_t index,
                        const char **name, uint32_t *name_size, int32_t *dtype, int32_t *exponent,
                        uint32_t *rank, uint32_t *dims, uint32_t *size_bytes)
{
    hil_tensor_info_t info;
    const hil_engine_t *engine = &shared->engine;
    hil_status_t status = output != 0 ? engine->output_info(engine, index, &info)
                                      : engine->input_info(engine, index, &info);
    if (status == HIL_OK) {
        *name = info.name.data;
        *name_size = info.name.size;
        *dtype = (int32_t)info.dtype;
        *exponent = info.exponent;
        *rank = info.rank;
        *size_bytes = info.size_bytes;
        memcpy(dims, info.dims, sizeof info.dims);
    }
    return (int32_t)status;
}

int32_t hil_shared_write_input(hil_shared_t *shared, uint32_t index, const void *data, size_t size)
{
    return (int32_t)shared->engine.write_input(&shared->engine, index, 0, data, size);
}

int32_t hil_shared_use_test_inputs(hil_shared_t *shared)
{
    return (int32_t)shared->engine.use_test_inputs(&shared->engine);
}

static void forward_output(void *user, const hil_node_output_t *output)
{
    const hil_shared_output_t *callback = user;
    (*callback)(output->node_index, output->output_index, output->node.data, output->node.size,
                output->value.name.data, output->value.name.size, (int32_t)output->value.dtype,
                output->value.exponent, output->value.rank, output->value.dims, output->data,
                output->value.size_bytes);
}

int32_t hil_shared_run(hil_shared_t *shared, hil_shared_output_t output)
{
    hil_observer_t observer = {.user = &output, .node_output = forward_output};
    return (int32_t)shared->engine.run(&shared->engine, 1, output == NULL ? NULL : &observer,
                                       &shared->error);
}

void hil_shared_reset(hil_shared_t *shared)
{
    shared->engine.reset(&shared->engine);
}

void hil_shared_memory(const hil_shared_t *shared, uint32_t *used, uint32_t *high_water)
{
    hil_engine_memory_t memory;
    shared->engine.memory(&shared->engine, &memory);
    *used = memory.used_bytes;
    *high_water = memory.high_water_bytes;
}

void hil_shared_error(const hil_shared_t *shared, char *text, size_t text_size, uint32_t *offset)
{
    const hil_error_t *error = &shared->error;
    *offset = error->offset;
    (void)snprintf(text, text_size, "%s%s%.*s", error->what == NULL ? "" : error->what,
                   error->node == NULL ? "" : " at node ",
                   error->node == NULL ? 0 : (int)error->node_size,
                   error->node == NULL ? "" : error->node);
}
