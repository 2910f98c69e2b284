/* HardSigmoid: max(0, min(1, alpha x + beta)). */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    float y = unary->alpha * x + unary->beta;
    y = y < 1.0f ? y : 1.0f;
    return y > 0.0f ? y : 0.0f;
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

static hil_status_t prepare(hil_op_context_t *op)
{
    return hil_unary_prepare_with(op, 0.2f, 0.5f);
}

const hil_op_t hil_op_hardsigmoid = {.type = "HardSigmoid", .prepare = prepare, .eval = eval};
