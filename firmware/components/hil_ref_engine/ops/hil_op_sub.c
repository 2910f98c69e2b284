/* Sub. */
#include "hil_sum.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_sum_eval(op, -1);
}

const hil_op_t hil_op_sub = {.type = "Sub", .prepare = hil_sum_prepare, .eval = eval};
