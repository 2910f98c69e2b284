/* ReduceSum: sum. */
#include "hil_reduce_sum.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_sum_eval(op, HIL_TERM_PLAIN);
}

const hil_op_t hil_op_reducesum = {
    .type = "ReduceSum", .prepare = hil_reduce_prepare, .eval = eval};
