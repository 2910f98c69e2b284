/* Elu: x where positive, alpha (e^x - 1) elsewhere. */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    return x >= 0.0f ? x : unary->alpha * (expf(x) - 1.0f);
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

static hil_status_t prepare(hil_op_context_t *op)
{
    return hil_unary_prepare_with(op, 1.0f, 0.0f);
}

const hil_op_t hil_op_elu = {.type = "Elu", .prepare = prepare, .eval = eval};
