/* Sqrt: square root. */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    (void)unary;
    return sqrtf(x);
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

const hil_op_t hil_op_sqrt = {.type = "Sqrt", .prepare = hil_unary_prepare, .eval = eval};
