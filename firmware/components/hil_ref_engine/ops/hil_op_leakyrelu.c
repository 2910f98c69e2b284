/* LeakyRelu: x where positive, alpha x elsewhere. */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    return x >= 0.0f ? x : x * unary->alpha;
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

static hil_status_t prepare(hil_op_context_t *op)
{
    return hil_unary_prepare_with(op, 0.01f, 0.0f);
}

const hil_op_t hil_op_leakyrelu = {.type = "LeakyRelu", .prepare = prepare, .eval = eval};
