/* Concat: bytes side by side along `axis`; exponents are ignored, as on the board. */
#include <string.h>

#include "hil_op.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, UINT32_MAX, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *first = hil_op_input(op, 0);
    uint32_t *axis = hil_op_alloc(op, sizeof *axis);
    if (axis == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = axis;
    int64_t written = hil_op_int(op, "axis", INT64_MAX);
    if (written == INT64_MAX) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "no axis: the board has no default");
    }
    HIL_TRY(hil_op_axis(op, written, first->rank, axis));
    uint32_t dims[HIL_MAX_RANK];
    memcpy(dims, first->dims, sizeof dims);
    for (uint32_t i = 1; i < op->node->input_count; i++) {
        const hil_value_t *input = hil_op_input(op, i);
        if (input == NULL || input->dtype != first->dtype || input->rank != first->rank) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "the inputs differ in type or rank");
        }
        for (uint32_t d = 0; d < first->rank; d++) {
            if (d != *axis && input->dims[d] != first->dims[d]) {
                HIL_FAIL(op, HIL_ERR_SHAPE, "the inputs differ in shape off the axis");
            }
        }
        if (input->dims[*axis] > UINT32_MAX - dims[*axis]) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "dimension of an output");
        }
        dims[*axis] += input->dims[*axis];
    }
    return hil_op_set_shape(op, 0, first->rank, dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    uint32_t axis = *(const uint32_t *)op->node->data;
    const hil_value_t *output = hil_op_output(op, 0);
    uint32_t size = hil_dtype_size(output->dtype);
    size_t output_step = (size_t)hil_dims_product(output->dims, axis, output->rank) * size;
    uint32_t rows = hil_dims_product(output->dims, 0, axis);
    uint8_t *result = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < op->node->input_count; i++) {
        const hil_value_t *input = hil_op_input(op, i);
        size_t step = (size_t)hil_dims_product(input->dims, axis, input->rank) * size;
        const uint8_t *from = input->data;
        for (uint32_t r = 0; r < rows; r++) {
            memcpy(result + r * output_step, from + r * step, step);
        }
        result += step;
    }
    return HIL_OK;
}

const hil_op_t hil_op_concat = {.type = "Concat", .prepare = prepare, .eval = eval};
