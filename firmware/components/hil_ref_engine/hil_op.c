/* What operators may ask of the engine. */
#include "hil_op.h"

#include <string.h>

#include "hil_graph.h"

#define MAX_TENSOR_BYTES 0x7fffffffu

hil_status_t hil_op_fail(hil_op_context_t *op, hil_status_t status, const char *what)
{
    op->error->status = status;
    op->error->what = what;
    op->error->node = op->node->name.data;
    op->error->node_size = op->node->name.size;
    op->error->offset = 0;
    return status;
}

static hil_value_t *linked_value(const hil_op_context_t *op, uint32_t link)
{
    uint32_t index = op->state->links[op->node->first_link + link];
    return index == HIL_NO_VALUE ? NULL : &op->state->values[index];
}

const hil_value_t *hil_op_input(const hil_op_context_t *op, uint32_t index)
{
    return index < op->node->input_count ? linked_value(op, index) : NULL;
}

static hil_value_t *output_value(const hil_op_context_t *op, uint32_t index)
{
    return index < op->node->output_count ? linked_value(op, op->node->input_count + index) : NULL;
}

const hil_value_t *hil_op_output(const hil_op_context_t *op, uint32_t index)
{
    return output_value(op, index);
}

void *hil_op_output_data(const hil_op_context_t *op, uint32_t index)
{
    const hil_value_t *value = output_value(op, index);
    /* Activations lie in the arena, which is the engine's to write. */
    return value == NULL ? NULL : op->state->arena + value->offset;
}

const hil_value_t *hil_op_parameter(const hil_op_context_t *op, uint32_t index)
{
    const hil_value_t *value = hil_op_input(op, index);
    return value != NULL && value->kind == HIL_VALUE_PARAMETER ? value : NULL;
}

hil_status_t hil_op_exponent(hil_op_context_t *op, const hil_value_t *parameter, uint32_t channel,
                             int32_t *exponent)
{
    uint32_t count = parameter->exponents.count;
    if (count <= 1) {
        *exponent = parameter->exponent;
        return HIL_OK;
    }
    if (channel >= count) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "fewer exponents than channels");
    }
    int64_t value = hil_vector_i64(&op->espdl->reader, parameter->exponents, channel);
    if (value < -64 || value > 64) {
        HIL_FAIL(op, HIL_ERR_FORMAT, "exponent of a channel");
    }
    *exponent = (int32_t)value;
    return HIL_OK;
}

hil_status_t hil_op_expect(hil_op_context_t *op, uint32_t least_inputs, uint32_t most_inputs,
                           uint32_t outputs)
{
    if (op->node->input_count < least_inputs || op->node->input_count > most_inputs) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "number of inputs");
    }
    for (uint32_t i = 0; i < least_inputs; i++) {
        if (hil_op_input(op, i) == NULL) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "a required input is omitted");
        }
    }
    if (op->node->output_count < outputs) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "number of outputs");
    }
    for (uint32_t i = 0; i < outputs; i++) {
        if (hil_op_output(op, i) == NULL) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "a required output is omitted");
        }
    }
    return HIL_OK;
}

hil_status_t hil_op_set_shape(hil_op_context_t *op, uint32_t output, uint32_t rank,
                              const uint32_t *dims)
{
    hil_value_t *value = output_value(op, output);
    if (value == NULL) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "number of outputs");
    }
    uint64_t bytes = hil_dtype_size(value->dtype);
    if (bytes == 0) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element type of an output");
    }
    if (rank > HIL_MAX_RANK) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "rank of an output");
    }
    value->rank = rank;
    value->count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        bytes *= dims[i];
        if (dims[i] == 0 || bytes > MAX_TENSOR_BYTES) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "dimension of an output");
        }
        value->dims[i] = dims[i];
        value->count *= dims[i];
    }
    value->size_bytes = (uint32_t)bytes;
    value->kind = HIL_VALUE_ACTIVATION;
    return HIL_OK;
}

hil_status_t hil_op_alias(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    hil_value_t *output = output_value(op, 0);
    if (input->size_bytes != output->size_bytes || input->dtype != output->dtype) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "input and output differ in size");
    }
    if (input->kind != HIL_VALUE_PARAMETER) {
        output->storage = input->storage;
    }
    return HIL_OK;
}

hil_status_t hil_op_require_same_dtype(hil_op_context_t *op, uint32_t output)
{
    if (hil_op_input(op, 0)->dtype != hil_op_output(op, output)->dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element types of input and output differ");
    }
    return HIL_OK;
}

hil_status_t hil_op_require_numeric(hil_op_context_t *op, const hil_value_t *value,
                                    bool allow_float)
{
    if (value->dtype != HIL_INT8 && value->dtype != HIL_INT16 &&
        !(allow_float && value->dtype == HIL_FLOAT)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element type");
    }
    return HIL_OK;
}

void *hil_op_alloc(hil_op_context_t *op, size_t size)
{
    return hil_arena_keep(op->state, size);
}

void hil_op_want_scratch(hil_op_context_t *op, size_t size)
{
    if (size > op->state->scratch_size) {
        op->state->scratch_size = size;
    }
}

void *hil_op_scratch(const hil_op_context_t *op)
{
    return op->state->arena + op->state->persistent_end;
}

int64_t hil_op_int(hil_op_context_t *op, const char *name, int64_t absent)
{
    hil_table_t table =
        hil_espdl_attribute(op->espdl, op->node->attributes, name, HIL_ATTRIBUTE_INT);
    return table.at == 0 ? absent : hil_field_i64(&op->espdl->reader, table, 5);
}

float hil_op_float(hil_op_context_t *op, const char *name, float absent)
{
    hil_table_t table =
        hil_espdl_attribute(op->espdl, op->node->attributes, name, HIL_ATTRIBUTE_FLOAT);
    return table.at == 0 ? absent : hil_field_f32(&op->espdl->reader, table, 4);
}

hil_name_t hil_op_string(hil_op_context_t *op, const char *name, const char *absent)
{
    hil_name_t text = {absent, (uint32_t)strlen(absent)};
    hil_table_t table =
        hil_espdl_attribute(op->espdl, op->node->attributes, name, HIL_ATTRIBUTE_STRING);
    if (table.at != 0) {
        hil_reader_t *reader = &op->espdl->reader;
        hil_vector_t bytes = hil_field_vector(reader, table, 6, 1);
        const uint8_t *data = hil_read_bytes(reader, bytes.at, bytes.count);
        text.data = data == NULL ? "" : (const char *)data;
        text.size = data == NULL ? 0 : bytes.count;
    }
    return text;
}

static hil_vector_t int_vector(hil_op_context_t *op, const char *name)
{
    hil_table_t table =
        hil_espdl_attribute(op->espdl, op->node->attributes, name, HIL_ATTRIBUTE_INTS);
    return hil_field_vector(&op->espdl->reader, table, 11, 8);
}

bool hil_op_has_ints(hil_op_context_t *op, const char *name)
{
    return int_vector(op, name).at != 0;
}

hil_status_t hil_op_ints(hil_op_context_t *op, const char *name, uint32_t count, int64_t low,
                         int64_t high, int64_t *values)
{
    hil_vector_t vector = int_vector(op, name);
    if (vector.at == 0) {
        return HIL_OK;
    }
    if (vector.count != count) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "attribute has a wrong number of integers");
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] = hil_vector_i64(&op->espdl->reader, vector, i);
        if (values[i] < low || values[i] > high) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "attribute is out of range");
        }
    }
    return HIL_OK;
}

hil_status_t hil_op_int_list(hil_op_context_t *op, const char *name, uint32_t *count,
                             int64_t *values)
{
    hil_vector_t vector = int_vector(op, name);
    if (vector.count > HIL_MAX_RANK) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "attribute has too many integers");
    }
    *count = vector.count;
    for (uint32_t i = 0; i < vector.count; i++) {
        values[i] = hil_vector_i64(&op->espdl->reader, vector, i);
    }
    return HIL_OK;
}

hil_status_t hil_op_int_parameter(hil_op_context_t *op, uint32_t input, uint32_t capacity,
                                  uint32_t *count, int64_t *values)
{
    const hil_value_t *parameter = hil_op_parameter(op, input);
    if (parameter == NULL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "shape-like input is not a constant");
    }
    if (parameter->count > capacity) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "shape-like input is too long");
    }
    *count = parameter->count;
    for (uint32_t i = 0; i < parameter->count; i++) {
        if (parameter->dtype == HIL_INT64) {
            values[i] = ((const int64_t *)parameter->data)[i];
        } else if (parameter->dtype == HIL_INT32) {
            values[i] = ((const int32_t *)parameter->data)[i];
        } else {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "shape-like input is not of integers");
        }
    }
    return HIL_OK;
}

hil_status_t hil_op_axis(hil_op_context_t *op, int64_t axis, uint32_t rank, uint32_t *result)
{
    int64_t wrapped = axis < 0 ? axis + (int64_t)rank : axis;
    if (wrapped < 0 || wrapped >= (int64_t)rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "axis");
    }
    *result = (uint32_t)wrapped;
    return HIL_OK;
}

const hil_value_t *hil_op_table(hil_op_context_t *op)
{
    hil_name_t name = hil_op_string(op, "lut", "");
    uint32_t index = name.size == 0 ? HIL_NO_VALUE : hil_graph_find(op->state, name);
    if (index == HIL_NO_VALUE || op->state->values[index].kind != HIL_VALUE_PARAMETER) {
        return NULL;
    }
    return &op->state->values[index];
}

uint32_t hil_dims_product(const uint32_t *dims, uint32_t from, uint32_t to)
{
    uint32_t product = 1;
    for (uint32_t i = from; i < to; i++) {
        product *= dims[i];
    }
    return product;
}
