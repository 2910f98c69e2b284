/* Relu: max(x, 0), where it is not fused into the layer before. */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    (void)unary;
    return x >= 0.0f ? x : 0.0f;
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

const hil_op_t hil_op_relu = {.type = "Relu", .prepare = hil_unary_prepare, .eval = eval};
