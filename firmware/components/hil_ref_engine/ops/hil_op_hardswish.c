/* HardSwish: x max(0, min(1, x / 6 + 0.5)). */
#include "hil_unary.h"

static float function(const hil_unary_t *unary, float x)
{
    (void)unary;
    /* The kernels write 0.166667, in double. */
    double gate = 0.166667 * (double)x + 0.5;
    gate = gate < 1.0 ? gate : 1.0;
    gate = gate > 0.0 ? gate : 0.0;
    return (float)(gate * (double)x);
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_unary_eval(op, function);
}

const hil_op_t hil_op_hardswish = {.type = "HardSwish", .prepare = hil_unary_prepare, .eval = eval};
