/* ReduceLogSum: the logarithm of the exact sum. */
#include "hil_reduce.h"

static float reduction(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    return logf(hil_reduce_real_sum(reduce, input, first, false));
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_real_eval(op, reduction);
}

const hil_op_t hil_op_reducelogsum = {
    .type = "ReduceLogSum", .prepare = hil_reduce_prepare, .eval = eval};
