/* Split along `axis` into the sizes of input 1. Source: ESP-DL 12c0616 dl_module_split.hpp. */
#include <string.h>

#include "hil_axis.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *sizes = hil_op_parameter(op, 1);
    if (sizes == NULL || sizes->dtype != HIL_INT64) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "split sizes are not an int64 constant");
    }
    if (sizes->count != op->node->output_count) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "split sizes and outputs differ in number");
    }
    uint32_t *axis = hil_op_alloc(op, sizeof *axis);
    if (axis == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = axis;
    HIL_TRY(hil_op_axis(op, hil_op_int(op, "axis", 0), input->rank, axis));
    uint32_t dims[HIL_MAX_RANK];
    memcpy(dims, input->dims, sizeof dims);
    int64_t left = input->dims[*axis];
    for (uint32_t i = 0; i < sizes->count; i++) {
        int64_t size = ((const int64_t *)sizes->data)[i];
        if (size < 1 || size > left) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "split sizes do not add up to the dimension");
        }
        left -= size;
        dims[*axis] = (uint32_t)size;
        HIL_TRY(hil_op_set_shape(op, i, input->rank, dims));
        HIL_TRY(hil_op_require_same_dtype(op, i));
    }
    if (left != 0) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "split sizes do not add up to the dimension");
    }
    return HIL_OK;
}

static hil_status_t eval(hil_op_context_t *op)
{
    uint32_t axis = *(const uint32_t *)op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    hil_axis_view_t view = hil_axis_view(input, axis);
    size_t inner = (size_t)view.inner * hil_dtype_size(input->dtype);
    const uint8_t *from = input->data;
    for (uint32_t i = 0; i < op->node->output_count; i++) {
        size_t part = hil_op_output(op, i)->dims[axis] * inner;
        uint8_t *to = hil_op_output_data(op, i);
        for (uint32_t o = 0; o < view.outer; o++) {
            memcpy(to + o * part, from + o * view.length * inner, part);
        }
        from += part;
    }
    return HIL_OK;
}

const hil_op_t hil_op_split = {.type = "Split", .prepare = prepare, .eval = eval};
