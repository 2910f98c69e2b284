/* Mod: the remainder has the sign of the dividend; 0 where the divisor is 0. */
#include "hil_real_pair.h"

static float function(float a, float b)
{
    return b != 0.0f ? fmodf(a, b) : 0.0f;
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_real_pair_eval(op, function);
}

const hil_op_t hil_op_mod = {.type = "Mod", .prepare = hil_real_pair_prepare, .eval = eval};
