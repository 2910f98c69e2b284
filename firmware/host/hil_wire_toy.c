/* A toy engine for tests of the server. */
#include <stdio.h>
#include <string.h>

#include "hil_bytes.h"
#include "hil_wire_toy.h"

#define HEADER 9
#define HAS_TEST_INPUTS 1
#define LATE_OUTPUTS 2
#define FAILS 4
#define STATEFUL 8

static hil_toy_t *toy_of(const hil_engine_t *engine)
{
    return engine->state;
}

static hil_name_t name_of(const char *text)
{
    return (hil_name_t){.data = text, .size = (uint32_t)strlen(text)};
}

static hil_status_t toy_load(hil_engine_t *engine, const hil_engine_config_t *config,
                             const uint8_t *model, size_t model_size, hil_error_t *error)
{
    hil_toy_t *toy = toy_of(engine);
    (void)config;
    if (model_size < HEADER || memcmp(model, "TOY1", 4) != 0 || model[5] > HIL_TOY_INPUTS ||
        model[4] == 0 || hil_get_le16(model + 6) > HIL_TOY_BYTES) {
        *error = (hil_error_t){.status = HIL_ERR_FORMAT, .what = "toy: recipe", .offset = 4};
        return error->status;
    }
    toy->nodes = model[4];
    toy->inputs = model[5];
    toy->bytes = hil_get_le16(model + 6);
    toy->flags = model[8];
    toy->loaded = true;
    toy->age = 0;
    toy->ran = false;
    return HIL_OK;
}

static void toy_unload(hil_engine_t *engine)
{
    toy_of(engine)->loaded = false;
}

static uint32_t toy_node_count(const hil_engine_t *engine)
{
    return toy_of(engine)->nodes;
}

static uint32_t toy_input_count(const hil_engine_t *engine)
{
    return toy_of(engine)->inputs;
}

static uint32_t toy_output_count(const hil_engine_t *engine)
{
    (void)engine;
    return 1;
}

static hil_tensor_info_t describe(const hil_toy_t *toy, const char *name)
{
    return (hil_tensor_info_t){
        .name = name_of(name),
        .dtype = HIL_INT8,
        .exponent = -7,
        .rank = 1,
        .dims = {toy->bytes},
        .size_bytes = toy->bytes,
    };
}

static hil_status_t toy_input_info(const hil_engine_t *engine, uint32_t index,
                                   hil_tensor_info_t *info)
{
    static const char *const NAMES[HIL_TOY_INPUTS] = {"in0", "in1", "in2", "in3"};
    const hil_toy_t *toy = toy_of(engine);
    if (index >= toy->inputs) {
        return HIL_ERR_ARGUMENT;
    }
    *info = describe(toy, NAMES[index]);
    return HIL_OK;
}

static hil_status_t toy_output_info(const hil_engine_t *engine, uint32_t index,
                                    hil_tensor_info_t *info)
{
    const hil_toy_t *toy = toy_of(engine);
    if (index > 0) {
        return HIL_ERR_ARGUMENT;
    }
    *info = describe(toy, toy->names[toy->nodes - 1]);
    return HIL_OK;
}

static bool inside(const hil_toy_t *toy, size_t offset, size_t size)
{
    return offset <= toy->bytes && size <= toy->bytes - offset;
}

static hil_status_t toy_write_input(hil_engine_t *engine, uint32_t index, size_t offset,
                                    const void *data, size_t size)
{
    hil_toy_t *toy = toy_of(engine);
    if (index >= toy->inputs || !inside(toy, offset, size)) {
        return HIL_ERR_ARGUMENT;
    }
    memcpy(toy->input[index] + offset, data, size);
    return HIL_OK;
}

static hil_status_t toy_use_test_inputs(hil_engine_t *engine)
{
    hil_toy_t *toy = toy_of(engine);
    if ((toy->flags & HAS_TEST_INPUTS) == 0) {
        return HIL_ERR_STATE;
    }
    for (uint32_t i = 0; i < toy->inputs; i++) {
        memset(toy->input[i], (int)i + 1, toy->bytes);
    }
    return HIL_OK;
}

static void report(const hil_toy_t *toy, const hil_observer_t *observer, uint32_t node)
{
    hil_node_output_t output = {
        .node_index = node,
        .node = name_of(toy->node_names[node]),
        .op_type = name_of("AddOne"),
        .value = describe(toy, toy->names[node]),
        .data = toy->value,
    };
    observer->node_output(observer->user, &output);
}

static hil_status_t toy_run(hil_engine_t *engine, uint32_t cores, const hil_observer_t *observer,
                            hil_error_t *error)
{
    hil_toy_t *toy = toy_of(engine);
    (void)cores;
    toy->runs++;
    memset(toy->value, (toy->flags & STATEFUL) != 0 ? toy->age : 0, toy->bytes);
    toy->age++;
    for (uint32_t i = 0; i < toy->inputs; i++) {
        for (uint32_t at = 0; at < toy->bytes; at++) {
            toy->value[at] = (uint8_t)(toy->value[at] + toy->input[i][at]);
        }
        memset(toy->input[i], 0xEE, toy->bytes); /* as the contract allows */
    }
    for (uint32_t node = 0; node < toy->nodes; node++) {
        observer->node_begin(observer->user, node);
        *toy->clock_ns += toy->node_ns;
        if ((toy->flags & FAILS) != 0 && node + 1u == toy->nodes) {
            *error = (hil_error_t){.status = HIL_ERR_UNSUPPORTED,
                                   .what = "toy: told to fail",
                                   .node = toy->node_names[node],
                                   .node_size = (uint32_t)strlen(toy->node_names[node])};
            return error->status;
        }
        for (uint32_t at = 0; at < toy->bytes; at++) {
            toy->value[at]++;
        }
        if ((toy->flags & LATE_OUTPUTS) != 0) {
            observer->node_end(observer->user, node);
            report(toy, observer, node);
        } else {
            report(toy, observer, node);
            observer->node_end(observer->user, node);
        }
    }
    toy->ran = true;
    return HIL_OK;
}

static hil_status_t toy_read_output(const hil_engine_t *engine, uint32_t index, size_t offset,
                                    void *data, size_t size)
{
    const hil_toy_t *toy = toy_of(engine);
    if (index > 0 || !inside(toy, offset, size)) {
        return HIL_ERR_ARGUMENT;
    }
    if (!toy->ran) {
        return HIL_ERR_STATE;
    }
    memcpy(data, toy->value + offset, size);
    return HIL_OK;
}

static bool toy_has_state(const hil_engine_t *engine)
{
    return (toy_of(engine)->flags & STATEFUL) != 0;
}

static void toy_reset(hil_engine_t *engine)
{
    toy_of(engine)->resets++;
    toy_of(engine)->age = 0;
}

static void toy_memory(const hil_engine_t *engine, hil_engine_memory_t *memory)
{
    const hil_toy_t *toy = toy_of(engine);
    *memory = (hil_engine_memory_t){
        .total_bytes = 1u << 16, .used_bytes = toy->bytes, .high_water_bytes = 2u * toy->bytes};
}

void hil_toy_init(hil_engine_t *engine, hil_toy_t *toy, uint64_t *clock_ns, uint64_t node_ns)
{
    memset(toy, 0, sizeof(*toy));
    toy->clock_ns = clock_ns;
    toy->node_ns = node_ns;
    for (int i = 0; i < 256; i++) {
        snprintf(toy->names[i], sizeof(toy->names[i]), "v%d", i);
        snprintf(toy->node_names[i], sizeof(toy->node_names[i]), "node%d", i);
    }
    *engine = (hil_engine_t){
        .name = "toy",
        .version = "1",
        .state = toy,
        .load = toy_load,
        .unload = toy_unload,
        .node_count = toy_node_count,
        .input_count = toy_input_count,
        .output_count = toy_output_count,
        .input_info = toy_input_info,
        .output_info = toy_output_info,
        .write_input = toy_write_input,
        .use_test_inputs = toy_use_test_inputs,
        .run = toy_run,
        .read_output = toy_read_output,
        .has_state = toy_has_state,
        .reset = toy_reset,
        .memory = toy_memory,
    };
}
