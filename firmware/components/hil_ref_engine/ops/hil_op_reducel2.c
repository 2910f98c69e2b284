/* ReduceL2: the root of the exact sum of squares, as ESP-DL iterates it. */
#include "hil_reduce.h"

static float reduction(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    return hil_sqrt_newton(hil_reduce_real_sum(reduce, input, first, true));
}

/* The board forms 1 << (-2 e), which holds up to exponent -15. */
static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_reduce_prepare(op));
    const hil_value_t *input = hil_op_input(op, 0);
    if (input->dtype != HIL_FLOAT && (input->exponent < -15 || input->exponent > 15)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "input exponent beyond 15: the board's scale overflows");
    }
    return HIL_OK;
}

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_reduce_real_eval(op, reduction);
}

const hil_op_t hil_op_reducel2 = {.type = "ReduceL2", .prepare = prepare, .eval = eval};
