/* The reference engine behind the engine interface. */
#include "hil_ref_engine.h"

#include <string.h>

#include "hil_graph.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "parameters are used in place: the engine needs a little-endian chip"
#endif

static hil_ref_state_t *state_of(const hil_engine_t *engine)
{
    return engine->state;
}

static void unload(hil_engine_t *engine)
{
    hil_ref_state_t *state = state_of(engine);
    hil_rounding_t rounding_override = state->rounding_override;
    memset(state, 0, sizeof *state);
    state->rounding_override = rounding_override;
}

static bool has_state(const hil_engine_t *engine)
{
    hil_ref_state_t *state = state_of(engine);
    hil_error_t ignored;
    for (uint32_t i = 0; i < state->node_count; i++) {
        if (hil_graph_context(state, NULL, i, &ignored).node->op->reset != NULL) {
            return true;
        }
    }
    return false;
}

static void reset(hil_engine_t *engine)
{
    hil_ref_state_t *state = state_of(engine);
    hil_error_t ignored;
    for (uint32_t i = 0; i < state->node_count; i++) {
        hil_op_context_t op = hil_graph_context(state, NULL, i, &ignored);
        if (op.node->op->reset != NULL) {
            op.node->op->reset(&op);
        }
    }
}

static hil_status_t load(hil_engine_t *engine, const hil_engine_config_t *config,
                         const uint8_t *model, size_t model_size, hil_error_t *error)
{
    hil_ref_state_t *state = state_of(engine);
    unload(engine);
    *error = (hil_error_t){.status = HIL_OK};
    if ((uintptr_t)config->arena % HIL_ARENA_ALIGNMENT != 0) {
        return hil_error_set(error, HIL_ERR_ARGUMENT, "arena is not 16-byte aligned");
    }
    state->target = config->target;
    state->kernels = config->kernels;
    state->arena = config->arena;
    state->arena_size = config->arena_size & ~(size_t)(HIL_ARENA_ALIGNMENT - 1);
    state->temporary_start = state->arena_size;

    hil_espdl_t espdl;
    hil_status_t status = hil_espdl_open(&espdl, model, model_size, error);
    if (status == HIL_OK) {
        status = hil_graph_load(state, &espdl, error);
    }
    if (status == HIL_OK) {
        status = hil_plan_memory(state, error);
    }
    if (status != HIL_OK) {
        unload(engine);
        return status;
    }
    state->payload = espdl.reader.data;
    state->payload_size = espdl.reader.size;
    state->test_inputs_at = espdl.test_inputs.at;
    state->test_input_count = espdl.test_inputs.count;
    state->loaded = true;
    reset(engine);
    return HIL_OK;
}

static uint32_t node_count(const hil_engine_t *engine)
{
    return state_of(engine)->node_count;
}

static uint32_t input_count(const hil_engine_t *engine)
{
    return state_of(engine)->input_count;
}

static uint32_t output_count(const hil_engine_t *engine)
{
    return state_of(engine)->output_count;
}

static hil_tensor_info_t info_of(const hil_value_t *value)
{
    hil_tensor_info_t info = {.name = value->name,
                              .dtype = value->dtype,
                              .exponent = value->dtype == HIL_FLOAT ? 0 : value->exponent,
                              .rank = value->rank,
                              .size_bytes = value->size_bytes};
    memcpy(info.dims, value->dims, sizeof info.dims);
    return info;
}

static hil_status_t input_info(const hil_engine_t *engine, uint32_t index, hil_tensor_info_t *info)
{
    const hil_ref_state_t *state = state_of(engine);
    if (index >= state->input_count) {
        return HIL_ERR_ARGUMENT;
    }
    *info = info_of(&state->values[state->inputs[index]]);
    return HIL_OK;
}

static hil_status_t output_info(const hil_engine_t *engine, uint32_t index, hil_tensor_info_t *info)
{
    const hil_ref_state_t *state = state_of(engine);
    if (index >= state->output_count) {
        return HIL_ERR_ARGUMENT;
    }
    *info = info_of(&state->values[state->outputs[index]]);
    return HIL_OK;
}

static hil_status_t write_input(hil_engine_t *engine, uint32_t index, size_t offset,
                                const void *data, size_t size)
{
    hil_ref_state_t *state = state_of(engine);
    if (index >= state->input_count) {
        return HIL_ERR_ARGUMENT;
    }
    const hil_value_t *value = &state->values[state->inputs[index]];
    if (offset > value->size_bytes || size > value->size_bytes - offset) {
        return HIL_ERR_ARGUMENT;
    }
    if (size != 0) {
        memcpy(state->arena + value->offset + offset, data, size);
    }
    return HIL_OK;
}

/* Finds the test tensor of one graph input and copies it. */
static hil_status_t use_test_input(hil_ref_state_t *state, hil_espdl_t *espdl, hil_value_t *value)
{
    hil_vector_t tensors = {state->test_inputs_at, state->test_input_count};
    for (uint32_t i = 0; i < tensors.count; i++) {
        hil_espdl_tensor_t tensor;
        hil_espdl_tensor(espdl, hil_vector_table(&espdl->reader, tensors, i), &tensor);
        if (espdl->reader.fault != NULL) {
            return HIL_ERR_FORMAT;
        }
        if (!hil_name_equal(tensor.name, value->name)) {
            continue;
        }
        if (tensor.dtype != value->dtype || tensor.count != value->count) {
            return HIL_ERR_SHAPE;
        }
        const uint8_t *bytes = hil_read_bytes(&espdl->reader, tensor.data_at, value->size_bytes);
        if (bytes == NULL) {
            return HIL_ERR_FORMAT;
        }
        memcpy(state->arena + value->offset, bytes, value->size_bytes);
        return HIL_OK;
    }
    return HIL_ERR_STATE;
}

static hil_status_t use_test_inputs(hil_engine_t *engine)
{
    hil_ref_state_t *state = state_of(engine);
    if (!state->loaded || state->test_input_count == 0) {
        return HIL_ERR_STATE;
    }
    hil_espdl_t espdl = {.reader = {.data = state->payload, .size = state->payload_size}};
    for (uint32_t i = 0; i < state->input_count; i++) {
        HIL_TRY(use_test_input(state, &espdl, &state->values[state->inputs[i]]));
    }
    return HIL_OK;
}

static void report_outputs(const hil_op_context_t *op, const hil_observer_t *observer)
{
    for (uint32_t i = 0; i < op->node->output_count; i++) {
        const hil_value_t *value = hil_op_output(op, i);
        if (value == NULL) {
            continue;
        }
        hil_node_output_t output = {.node_index = op->node_index,
                                    .output_index = i,
                                    .node = op->node->name,
                                    .op_type = op->node->op_type,
                                    .value = info_of(value),
                                    .data = value->data};
        observer->node_output(observer->user, &output);
    }
}

static hil_status_t run(hil_engine_t *engine, uint32_t cores, const hil_observer_t *observer,
                        hil_error_t *error)
{
    static const hil_observer_t nobody = {NULL, NULL, NULL, NULL};
    hil_ref_state_t *state = state_of(engine);
    (void)cores; /* rows could be split among cores; the integers would be the same */
    *error = (hil_error_t){.status = HIL_OK};
    if (!state->loaded) {
        return hil_error_set(error, HIL_ERR_STATE, "no model is loaded");
    }
    if (observer == NULL) {
        observer = &nobody;
    }
    for (uint32_t i = 0; i < state->node_count; i++) {
        hil_op_context_t op = hil_graph_context(state, NULL, i, error);
        if (observer->node_begin != NULL) {
            observer->node_begin(observer->user, i);
        }
        HIL_TRY(op.node->op->eval(&op));
        if (observer->node_end != NULL) {
            observer->node_end(observer->user, i);
        }
        if (observer->node_output != NULL) {
            report_outputs(&op, observer);
        }
    }
    state->has_run = true;
    return HIL_OK;
}

static hil_status_t read_output(const hil_engine_t *engine, uint32_t index, size_t offset,
                                void *data, size_t size)
{
    const hil_ref_state_t *state = state_of(engine);
    if (!state->has_run) {
        return HIL_ERR_STATE;
    }
    if (index >= state->output_count) {
        return HIL_ERR_ARGUMENT;
    }
    const hil_value_t *value = &state->values[state->outputs[index]];
    if (offset > value->size_bytes || size > value->size_bytes - offset) {
        return HIL_ERR_ARGUMENT;
    }
    if (size != 0) {
        memcpy(data, (const uint8_t *)value->data + offset, size);
    }
    return HIL_OK;
}

static void memory(const hil_engine_t *engine, hil_engine_memory_t *report)
{
    const hil_ref_state_t *state = state_of(engine);
    report->total_bytes = (uint32_t)state->arena_size;
    report->used_bytes = (uint32_t)state->persistent_end;
    report->high_water_bytes = (uint32_t)state->high_water;
}

void hil_ref_engine_init(hil_engine_t *engine, hil_ref_state_t *state)
{
    memset(state, 0, sizeof *state);
    *engine = (hil_engine_t){.name = "reference",
                             .version = "1",
                             .state = state,
                             .load = load,
                             .unload = unload,
                             .node_count = node_count,
                             .input_count = input_count,
                             .output_count = output_count,
                             .input_info = input_info,
                             .output_info = output_info,
                             .write_input = write_input,
                             .use_test_inputs = use_test_inputs,
                             .run = run,
                             .read_output = read_output,
                             .has_state = has_state,
                             .reset = reset,
                             .memory = memory};
}

void hil_ref_engine_override_rounding(hil_ref_state_t *state, hil_rounding_t mode)
{
    state->rounding_override = mode;
}
