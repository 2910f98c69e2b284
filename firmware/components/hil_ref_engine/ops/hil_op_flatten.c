/* Flatten: the dimensions before `axis`, and those from it on. */
#include "hil_view.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t axis = hil_op_int(op, "axis", 1);
    if (axis < 0) {
        axis += input->rank;
    }
    if (axis < 0 || axis > (int64_t)input->rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "axis");
    }
    uint32_t dims[2] = {hil_dims_product(input->dims, 0, (uint32_t)axis),
                        hil_dims_product(input->dims, (uint32_t)axis, input->rank)};
    return hil_view_prepare(op, 2, dims);
}

const hil_op_t hil_op_flatten = {.type = "Flatten", .prepare = prepare, .eval = hil_view_eval};
