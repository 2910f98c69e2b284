/* Pow: a to the power of b. */
#include "hil_real_pair.h"

static float function(float a, float b)
{
    return powf(a, b);
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_real_pair_eval(op, function);
}

const hil_op_t hil_op_pow = {.type = "Pow", .prepare = hil_real_pair_prepare, .eval = eval};
