/* ReduceSumSquare: sum of squares. */
#include "hil_reduce_sum.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_sum_eval(op, HIL_TERM_SQUARE);
}

const hil_op_t hil_op_reducesumsquare = {
    .type = "ReduceSumSquare", .prepare = hil_reduce_prepare, .eval = eval};
