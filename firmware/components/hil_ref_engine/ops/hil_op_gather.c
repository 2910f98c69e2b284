/*
 * Gather along `axis` with constant indices; negative ones are refused, the board reads before the
 * tensor with them. Source: ESP-DL 12c0616 dl_module_gather.hpp.
 */
#include <string.h>

#include "hil_axis.h"

static int64_t index_at(const hil_value_t *indices, uint32_t i)
{
    return indices->dtype == HIL_INT64 ? ((const int64_t *)indices->data)[i]
                                       : ((const int32_t *)indices->data)[i];
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *indices = hil_op_parameter(op, 1);
    if (indices == NULL || (indices->dtype != HIL_INT64 && indices->dtype != HIL_INT32)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "indices are not an int64 or int32 constant");
    }
    uint32_t *axis = hil_op_alloc(op, sizeof *axis);
    if (axis == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = axis;
    HIL_TRY(hil_op_axis(op, hil_op_int(op, "axis", 0), input->rank, axis));
    for (uint32_t i = 0; i < indices->count; i++) {
        if (index_at(indices, i) < 0 || index_at(indices, i) >= (int64_t)input->dims[*axis]) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "an index is negative or beyond the dimension");
        }
    }
    uint32_t dims[2 * HIL_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < input->rank; i++) {
        if (i != *axis) {
            dims[rank++] = input->dims[i];
            continue;
        }
        for (uint32_t j = 0; j < indices->rank; j++) {
            dims[rank++] = indices->dims[j];
        }
    }
    return hil_op_set_shape(op, 0, rank, dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *indices = hil_op_input(op, 1);
    hil_axis_view_t view = hil_axis_view(input, *(const uint32_t *)op->node->data);
    size_t inner = (size_t)view.inner * hil_dtype_size(input->dtype);
    const uint8_t *from = input->data;
    uint8_t *to = hil_op_output_data(op, 0);
    for (uint32_t o = 0; o < view.outer; o++, from += view.length * inner) {
        for (uint32_t i = 0; i < indices->count; i++, to += inner) {
            memcpy(to, from + (size_t)index_at(indices, i) * inner, inner);
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_gather = {.type = "Gather", .prepare = prepare, .eval = eval};
