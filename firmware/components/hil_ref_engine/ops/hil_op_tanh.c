/* Tanh: 2 sigmoid(2x) - 1, as the kernels write it (not tanhf). */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    (void)unary;
    return 2.0f * hil_sigmoidf(2.0f * x) - 1.0f;
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

const hil_op_t hil_op_tanh = {.type = "Tanh", .prepare = hil_unary_prepare, .eval = eval};
