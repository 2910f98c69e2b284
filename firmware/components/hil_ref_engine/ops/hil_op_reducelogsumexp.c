/* ReduceLogSumExp: exponentials summed as floats, without subtracting the maximum. */
#include "hil_reduce.h"

static float sum_exp(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    float sum = 0.0f;
    for (uint32_t j = 0; j < reduce->count; j++) {
        sum += expf(hil_reduce_real(input, first + hil_reduce_offset(reduce, j)));
    }
    return sum;
}

static float reduction(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    return logf(sum_exp(reduce, input, first));
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_real_eval(op, reduction);
}

const hil_op_t hil_op_reducelogsumexp = {
    .type = "ReduceLogSumExp", .prepare = hil_reduce_prepare, .eval = eval};
