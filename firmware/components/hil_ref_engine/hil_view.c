/* Operators that give the same bytes another shape. */
#include "hil_view.h"

#include <string.h>

hil_status_t hil_view_prepare(hil_op_context_t *op, uint32_t rank, const uint32_t *dims)
{
    HIL_TRY(hil_op_set_shape(op, 0, rank, dims));
    return hil_op_alias(op);
}

hil_status_t hil_view_axes(hil_op_context_t *op, uint32_t rank, bool *marked, uint32_t *count)
{
    int64_t axes[HIL_MAX_RANK];
    memset(marked, 0, HIL_MAX_RANK * sizeof *marked);
    HIL_TRY(hil_op_int_parameter(op, 1, HIL_MAX_RANK, count, axes));
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t axis;
        HIL_TRY(hil_op_axis(op, axes[i], rank, &axis));
        if (marked[axis]) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "an axis is named twice");
        }
        marked[axis] = true;
    }
    return HIL_OK;
}

hil_status_t hil_view_eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    void *result = hil_op_output_data(op, 0);
    if (result != input->data) {
        memcpy(result, input->data, input->size_bytes);
    }
    return HIL_OK;
}
