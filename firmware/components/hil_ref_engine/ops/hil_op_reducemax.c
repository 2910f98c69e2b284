/* ReduceMax. */
#include "hil_reduce_extreme.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_extreme_eval(op, true);
}

const hil_op_t hil_op_reducemax = {
    .type = "ReduceMax", .prepare = hil_reduce_prepare, .eval = eval};
