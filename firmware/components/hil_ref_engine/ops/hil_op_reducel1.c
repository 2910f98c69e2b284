/* ReduceL1: sum of magnitudes. */
#include "hil_reduce_sum.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_sum_eval(op, HIL_TERM_MAGNITUDE);
}

const hil_op_t hil_op_reducel1 = {.type = "ReduceL1", .prepare = hil_reduce_prepare, .eval = eval};
