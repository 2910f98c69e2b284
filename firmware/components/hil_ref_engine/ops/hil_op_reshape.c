/* Reshape to input 1; 0 keeps a dimension, -1 takes what is left. */
#include "hil_view.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t shape[HIL_MAX_RANK];
    uint32_t dims[HIL_MAX_RANK];
    uint32_t rank;
    uint32_t open = HIL_MAX_RANK; /* the dimension written as -1 */
    uint64_t known = 1;
    HIL_TRY(hil_op_int_parameter(op, 1, HIL_MAX_RANK, &rank, shape));
    bool keep_zero = hil_op_int(op, "allowzero", 0) != 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] == -1 && open == HIL_MAX_RANK) {
            open = i;
            dims[i] = 1;
            continue;
        }
        if (shape[i] == 0 && !keep_zero && i < input->rank) {
            shape[i] = input->dims[i];
        }
        if (shape[i] < 1 || shape[i] > (int64_t)input->count) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "shape to reshape to");
        }
        dims[i] = (uint32_t)shape[i];
        known *= dims[i];
        if (known > input->count) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "shape to reshape to");
        }
    }
    if (open != HIL_MAX_RANK) {
        dims[open] = input->count / (uint32_t)known;
    }
    return hil_view_prepare(op, rank, dims);
}

const hil_op_t hil_op_reshape = {.type = "Reshape", .prepare = prepare, .eval = hil_view_eval};
