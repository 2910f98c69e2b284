/* Attributes and types of the normalizations from an axis on. */
#include "hil_norm.h"

hil_status_t hil_norm_prepare(hil_op_context_t *op, uint32_t *axis)
{
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    hil_norm_t *norm = hil_op_alloc(op, sizeof *norm);
    if (norm == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = norm;
    HIL_TRY(hil_op_axis(op, hil_op_int(op, "axis", -1), input->rank, axis));
    norm->outer = hil_dims_product(input->dims, 0, *axis);
    norm->inner = hil_dims_product(input->dims, *axis, input->rank);
    norm->epsilon = hil_op_float(op, "epsilon", 1e-5f);
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}
