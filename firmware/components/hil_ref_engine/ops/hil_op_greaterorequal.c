/* GreaterOrEqual: a >= b. */
#include "hil_compare.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_compare_eval(op, (hil_truth_t){0, 1, 1});
}

const hil_op_t hil_op_greaterorequal = {
    .type = "GreaterOrEqual", .prepare = hil_compare_prepare, .eval = eval};
