/* Loading a model into the arena: values, nodes, prepared operators. */
#include "hil_graph.h"

#include <string.h>

hil_status_t hil_error_set(hil_error_t *error, hil_status_t status, const char *what)
{
    *error = (hil_error_t){.status = status, .what = what};
    return status;
}

static hil_status_t no_memory(hil_error_t *error)
{
    return hil_error_set(error, HIL_ERR_MEMORY, "arena too small for the model's graph");
}

void *hil_arena_keep(hil_ref_state_t *state, size_t size)
{
    size_t free_bytes = state->temporary_start - state->persistent_end;
    if (size > free_bytes || hil_align(size) > free_bytes) {
        return NULL;
    }
    uint8_t *memory = state->arena + state->persistent_end;
    state->persistent_end += hil_align(size);
    memset(memory, 0, size);
    return memory;
}

void *hil_arena_borrow(hil_ref_state_t *state, size_t size)
{
    size_t free_bytes = state->temporary_start - state->persistent_end;
    if (size > free_bytes || hil_align(size) > free_bytes) {
        return NULL;
    }
    state->temporary_start -= hil_align(size);
    memset(state->arena + state->temporary_start, 0, size);
    return state->arena + state->temporary_start;
}

/* --- names ------------------------------------------------------------------------------------ */

static uint32_t hash_name(hil_name_t name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (uint32_t i = 0; i < name.size; i++) {
        hash = (hash ^ (uint8_t)name.data[i]) * 16777619u;
    }
    return hash;
}

/* The slot of `name`: it holds index + 1, or 0 where the name is unknown. */
static uint32_t *name_slot(const hil_ref_state_t *state, hil_name_t name)
{
    uint32_t slot = hash_name(name) & state->names_mask;
    while (state->names[slot] != 0 &&
           !hil_name_equal(state->values[state->names[slot] - 1].name, name)) {
        slot = (slot + 1) & state->names_mask;
    }
    return &state->names[slot];
}

uint32_t hil_graph_find(const hil_ref_state_t *state, hil_name_t name)
{
    return *name_slot(state, name) - 1; /* 0 - 1 is HIL_NO_VALUE */
}

static hil_value_t *add_value(hil_ref_state_t *state, hil_name_t name)
{
    hil_value_t *value = &state->values[state->value_count];
    value->name = name;
    value->storage = state->value_count;
    state->value_count++;
    *name_slot(state, name) = state->value_count;
    return value;
}

/* --- values ----------------------------------------------------------------------------------- */

static hil_status_t make_room(hil_ref_state_t *state, const hil_espdl_t *espdl, hil_error_t *error)
{
    /* Each count is bounded by the size of the file, so none of this overflows. */
    uint64_t most =
        (uint64_t)espdl->initializers.count + espdl->value_infos.count + espdl->inputs.count;
    uint64_t slots = 4;
    while (slots < 2 * most) {
        slots *= 2;
    }
    if (most * sizeof(hil_value_t) + slots * sizeof(uint32_t) > state->arena_size) {
        return no_memory(error);
    }
    state->values = hil_arena_keep(state, (size_t)most * sizeof(hil_value_t));
    state->names = hil_arena_borrow(state, (size_t)slots * sizeof(uint32_t));
    state->names_mask = (uint32_t)slots - 1;
    state->inputs = hil_arena_keep(state, espdl->inputs.count * sizeof(uint32_t));
    state->outputs = hil_arena_keep(state, espdl->outputs.count * sizeof(uint32_t));
    if (state->values == NULL || state->names == NULL || state->inputs == NULL ||
        state->outputs == NULL) {
        return no_memory(error);
    }
    return HIL_OK;
}

/* Bytes of a parameter: in place where aligned for their type, else a copy in the arena. */
static hil_status_t place_parameter(hil_ref_state_t *state, hil_espdl_t *espdl,
                                    const hil_espdl_tensor_t *tensor, hil_value_t *value,
                                    hil_error_t *error)
{
    if (tensor->count == 0) {
        value->data = "";
        return HIL_OK;
    }
    const uint8_t *bytes = hil_read_bytes(&espdl->reader, tensor->data_at, value->size_bytes);
    if (bytes == NULL) {
        return hil_espdl_check(espdl, error);
    }
    value->data = bytes;
    if ((uintptr_t)bytes % hil_dtype_size(value->dtype) != 0) {
        void *copy = hil_arena_keep(state, value->size_bytes);
        if (copy == NULL) {
            return no_memory(error);
        }
        memcpy(copy, bytes, value->size_bytes);
        value->data = copy;
    }
    return HIL_OK;
}

static hil_status_t load_parameters(hil_ref_state_t *state, hil_espdl_t *espdl, hil_error_t *error)
{
    for (uint32_t i = 0; i < espdl->initializers.count; i++) {
        hil_espdl_tensor_t tensor;
        hil_table_t table = hil_vector_table(&espdl->reader, espdl->initializers, i);
        hil_espdl_tensor(espdl, table, &tensor);
        HIL_TRY(hil_espdl_check(espdl, error));
        if (hil_graph_find(state, tensor.name) != HIL_NO_VALUE) {
            hil_read_fault(&espdl->reader, table.at, "two parameters of one name");
            return hil_espdl_check(espdl, error);
        }
        hil_value_t *value = add_value(state, tensor.name);
        value->kind = HIL_VALUE_PARAMETER;
        value->dtype = tensor.dtype;
        value->rank = tensor.rank;
        memcpy(value->dims, tensor.dims, sizeof value->dims);
        value->count = tensor.count;
        value->size_bytes = tensor.count * hil_dtype_size(tensor.dtype);
        value->exponents = tensor.exponents;
        if (tensor.exponents.count != 0) {
            int64_t exponent = hil_vector_i64(&espdl->reader, tensor.exponents, 0);
            if (exponent < -64 || exponent > 64) {
                hil_read_fault(&espdl->reader, tensor.exponents.at, "exponent");
                return hil_espdl_check(espdl, error);
            }
            value->exponent = (int32_t)exponent;
        }
        HIL_TRY(place_parameter(state, espdl, &tensor, value, error));
    }
    return HIL_OK;
}

static void describe(hil_value_t *value, const hil_espdl_value_t *info)
{
    value->dtype = info->dtype;
    value->exponent = info->exponent;
    value->rank = info->rank;
    memcpy(value->dims, info->dims, sizeof value->dims);
}

static hil_status_t load_value_infos(hil_ref_state_t *state, hil_espdl_t *espdl, hil_error_t *error)
{
    for (uint32_t i = 0; i < espdl->value_infos.count; i++) {
        hil_espdl_value_t info;
        hil_espdl_value(espdl, hil_vector_table(&espdl->reader, espdl->value_infos, i), &info);
        HIL_TRY(hil_espdl_check(espdl, error));
        if (info.name.size == 0 || hil_graph_find(state, info.name) != HIL_NO_VALUE) {
            continue; /* the name of omitted inputs; a repetition */
        }
        describe(add_value(state, info.name), &info);
    }
    return HIL_OK;
}

static hil_status_t load_inputs(hil_ref_state_t *state, hil_espdl_t *espdl, hil_error_t *error)
{
    for (uint32_t i = 0; i < espdl->inputs.count; i++) {
        hil_espdl_value_t info;
        hil_table_t table = hil_vector_table(&espdl->reader, espdl->inputs, i);
        hil_espdl_value(espdl, table, &info);
        HIL_TRY(hil_espdl_check(espdl, error));
        uint32_t index = hil_graph_find(state, info.name);
        hil_value_t *value =
            index == HIL_NO_VALUE ? add_value(state, info.name) : &state->values[index];
        if (value->kind == HIL_VALUE_PARAMETER) {
            continue; /* older ONNX lists parameters among the inputs */
        }
        describe(value, &info);
        uint32_t size = hil_dtype_size(value->dtype);
        value->count = 1;
        for (uint32_t d = 0; d < value->rank; d++) {
            value->count *= value->dims[d]; /* bounded when the shape was read */
        }
        if (value->kind == HIL_VALUE_INPUT || !info.has_shape || value->count == 0 || size == 0) {
            hil_read_fault(&espdl->reader, table.at, "graph input");
            return hil_espdl_check(espdl, error);
        }
        value->size_bytes = value->count * size;
        value->kind = HIL_VALUE_INPUT;
        state->inputs[state->input_count++] = (uint32_t)(value - state->values);
    }
    return HIL_OK;
}

static hil_status_t load_outputs(hil_ref_state_t *state, hil_espdl_t *espdl, hil_error_t *error)
{
    for (uint32_t i = 0; i < espdl->outputs.count; i++) {
        hil_espdl_value_t info;
        hil_table_t table = hil_vector_table(&espdl->reader, espdl->outputs, i);
        hil_espdl_value(espdl, table, &info);
        HIL_TRY(hil_espdl_check(espdl, error));
        uint32_t index = hil_graph_find(state, info.name);
        if (index == HIL_NO_VALUE || state->values[index].kind == HIL_VALUE_UNSET) {
            hil_read_fault(&espdl->reader, table.at, "graph output that no node makes");
            return hil_espdl_check(espdl, error);
        }
        state->outputs[state->output_count++] = index;
    }
    return HIL_OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */

hil_op_context_t hil_graph_context(hil_ref_state_t *state, hil_espdl_t *espdl, uint32_t node_index,
                                   hil_error_t *error)
{
    hil_op_context_t op = {.state = state,
                           .espdl = espdl,
                           .node = &state->nodes[node_index],
                           .node_index = node_index,
                           .kernels = state->kernels,
                           .rounding = state->rounding_override,
                           .error = error};
    if (op.rounding == HIL_ROUND_TARGET) {
        op.rounding = state->kernels == HIL_KERNELS_P4 ? HIL_ROUND_HALF_EVEN : HIL_ROUND_HALF_UP;
    }
    return op;
}

/* Resolves the names of a node's inputs and outputs to values. */
static hil_status_t link_node(hil_op_context_t *op, const hil_espdl_node_t *source)
{
    hil_ref_state_t *state = op->state;
    hil_reader_t *reader = &op->espdl->reader;
    uint32_t *link = &state->links[op->node->first_link];
    for (uint32_t i = 0; i < source->inputs.count; i++, link++) {
        hil_name_t name = hil_vector_string(reader, source->inputs, i);
        *link = name.size == 0 ? HIL_NO_VALUE : hil_graph_find(state, name);
        if (name.size == 0) {
            continue;
        }
        if (*link == HIL_NO_VALUE || state->values[*link].kind == HIL_VALUE_UNSET) {
            HIL_FAIL(op, HIL_ERR_FORMAT, "an input that nothing made before this node");
        }
        state->values[*link].last_node = op->node_index;
    }
    for (uint32_t i = 0; i < source->outputs.count; i++, link++) {
        hil_name_t name = hil_vector_string(reader, source->outputs, i);
        *link = name.size == 0 ? HIL_NO_VALUE : hil_graph_find(state, name);
        if (name.size == 0) {
            continue;
        }
        if (*link == HIL_NO_VALUE) {
            HIL_FAIL(op, HIL_ERR_FORMAT, "an output without value_info");
        }
        hil_value_t *value = &state->values[*link];
        if (value->kind != HIL_VALUE_UNSET || value->first_node != 0) {
            HIL_FAIL(op, HIL_ERR_FORMAT, "an output that already has a maker");
        }
        /* Marks the value as taken until `prepare` gives it a shape; index + 1 is never 0. */
        value->first_node = op->node_index + 1;
        value->last_node = op->node_index;
    }
    return HIL_OK;
}

static hil_status_t prepare_node(hil_op_context_t *op)
{
    if (op->node->op == NULL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "no such operator in this engine");
    }
    HIL_TRY(op->node->op->prepare(op));
    for (uint32_t i = 0; i < op->node->output_count; i++) {
        const hil_value_t *output = hil_op_output(op, i);
        if (output != NULL && output->kind == HIL_VALUE_UNSET) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "more outputs than this engine computes");
        }
    }
    return HIL_OK;
}

static hil_status_t load_nodes(hil_ref_state_t *state, hil_espdl_t *espdl, hil_error_t *error)
{
    uint64_t link_count = 0;
    for (uint32_t i = 0; i < espdl->nodes.count; i++) {
        hil_espdl_node_t source;
        hil_espdl_node(espdl, i, &source);
        link_count += (uint64_t)source.inputs.count + source.outputs.count;
    }
    HIL_TRY(hil_espdl_check(espdl, error));
    uint64_t bytes = espdl->nodes.count * (uint64_t)sizeof(hil_node_t) + link_count * 4;
    if (bytes > state->arena_size) {
        return no_memory(error);
    }
    state->nodes = hil_arena_keep(state, espdl->nodes.count * sizeof(hil_node_t));
    state->links = hil_arena_keep(state, (size_t)link_count * sizeof(uint32_t));
    if (state->nodes == NULL || state->links == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < espdl->nodes.count; i++) {
        hil_espdl_node_t source;
        hil_espdl_node(espdl, i, &source);
        hil_node_t *node = &state->nodes[i];
        node->name = source.name;
        node->op_type = source.op_type;
        node->op = hil_ops_find(source.op_type);
        node->attributes = source.attributes;
        node->first_link = state->link_count;
        node->input_count = source.inputs.count;
        node->output_count = source.outputs.count;
        state->link_count += node->input_count + node->output_count;
        hil_op_context_t op = hil_graph_context(state, espdl, i, error);
        HIL_TRY(link_node(&op, &source));
        HIL_TRY(prepare_node(&op));
        HIL_TRY(hil_espdl_check(espdl, error));
        state->node_count++;
    }
    return HIL_OK;
}

/* --- target ----------------------------------------------------------------------------------- */

static const struct {
    const char *target;
    hil_kernels_t kernels;
} known_targets[] = {{"c", HIL_KERNELS_C},        {"esp32", HIL_KERNELS_C},
                     {"esp32s2", HIL_KERNELS_C},  {"esp32c2", HIL_KERNELS_C},
                     {"esp32c3", HIL_KERNELS_C},  {"esp32c5", HIL_KERNELS_C},
                     {"esp32c6", HIL_KERNELS_C},  {"esp32s3", HIL_KERNELS_S3},
                     {"esp32p4", HIL_KERNELS_P4}, {"esp32s31", HIL_KERNELS_P4}};

static hil_status_t refuse_target(hil_error_t *error, const char *what, hil_name_t target)
{
    hil_status_t status = hil_error_set(error, HIL_ERR_TARGET, what);
    error->subject = target.data;
    error->subject_size = target.size;
    return status;
}

static hil_status_t check_target(const hil_ref_state_t *state, hil_espdl_t *espdl,
                                 hil_error_t *error)
{
    hil_name_t target = hil_espdl_metadata(espdl, "target");
    HIL_TRY(hil_espdl_check(espdl, error));
    if (target.size == 0) {
        return HIL_OK; /* most files do not say */
    }
    for (size_t i = 0; i < sizeof known_targets / sizeof known_targets[0]; i++) {
        if (hil_name_is(target, known_targets[i].target)) {
            return known_targets[i].kernels == state->kernels
                       ? HIL_OK
                       : refuse_target(error, "file was made for another target", target);
        }
    }
    return refuse_target(error, "file was made for an unknown target", target);
}

hil_status_t hil_graph_load(hil_ref_state_t *state, hil_espdl_t *espdl, hil_error_t *error)
{
    HIL_TRY(check_target(state, espdl, error));
    HIL_TRY(make_room(state, espdl, error));
    HIL_TRY(load_parameters(state, espdl, error));
    HIL_TRY(load_value_infos(state, espdl, error));
    HIL_TRY(load_inputs(state, espdl, error));
    HIL_TRY(load_nodes(state, espdl, error));
    return load_outputs(state, espdl, error);
}
