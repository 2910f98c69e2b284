/*
 * ReduceL2, ReduceLogSum: exact integer sums, then a float function; ReduceLogSumExp: float sums.
 *
 * The exponentials are summed without subtracting the maximum. Source: ESP-DL 12c0616
 * dl_module_reduce_l2.hpp, _log_sum.hpp, _log_sum_exp.hpp.
 */
#include "hil_reduce.h"

static float real(const hil_value_t *value, uint32_t index)
{
    if (value->dtype == HIL_FLOAT) {
        return ((const float *)value->data)[index];
    }
    return (float)hil_load_int(value->data, value->dtype, index) * hil_exp2f(value->exponent);
}

/* Sum of x or of x squared, as a real number. */
static float sum_of(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first,
                    bool squared)
{
    int64_t sum = 0;
    float sum_float = 0.0f;
    for (uint32_t j = 0; j < reduce->count; j++) {
        uint32_t at = first + hil_reduce_offset(reduce, j);
        if (input->dtype == HIL_FLOAT) {
            float x = real(input, at);
            sum_float += squared ? x * x : x;
        } else {
            int64_t q = hil_load_int(input->data, input->dtype, at);
            sum += squared ? q * q : q;
        }
    }
    return input->dtype == HIL_FLOAT ? sum_float
                                     : (float)sum * hil_exp2f(input->exponent * (squared ? 2 : 1));
}

static float sum_exp(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    float sum = 0.0f;
    for (uint32_t j = 0; j < reduce->count; j++) {
        sum += expf(real(input, first + hil_reduce_offset(reduce, j)));
    }
    return sum;
}

typedef float (*reduction_t)(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first);

static float l2(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    return hil_sqrt_newton(sum_of(reduce, input, first, true));
}

static float log_sum(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    return logf(sum_of(reduce, input, first, false));
}

static float log_sum_exp(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    return logf(sum_exp(reduce, input, first));
}

static hil_status_t evaluate(hil_op_context_t *op, reduction_t reduction)
{
    const hil_reduce_t *reduce = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    void *y = hil_op_output_data(op, 0);
    float rescale = hil_exp2f(-output->exponent);
    for (uint32_t i = 0; i < output->count; i++) {
        float value = reduction(reduce, input, hil_reduce_first(reduce, i));
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = value;
        } else {
            hil_store_int(y, input->dtype, i,
                          hil_quantize(value * rescale, input->dtype, op->rounding));
        }
    }
    return HIL_OK;
}

/* The board forms 1 << (-2 e), which holds up to exponent -15. */
static hil_status_t prepare_l2(hil_op_context_t *op)
{
    HIL_TRY(hil_reduce_prepare(op));
    const hil_value_t *input = hil_op_input(op, 0);
    if (input->dtype != HIL_FLOAT && (input->exponent < -15 || input->exponent > 15)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "input exponent beyond 15: the board's scale overflows");
    }
    return HIL_OK;
}

static hil_status_t eval_l2(hil_op_context_t *op)
{
    return evaluate(op, l2);
}

static hil_status_t eval_logsum(hil_op_context_t *op)
{
    return evaluate(op, log_sum);
}

static hil_status_t eval_logsumexp(hil_op_context_t *op)
{
    return evaluate(op, log_sum_exp);
}

const hil_op_t hil_op_reducel2 = {.type = "ReduceL2", .prepare = prepare_l2, .eval = eval_l2};
const hil_op_t hil_op_reducelogsum = {
    .type = "ReduceLogSum", .prepare = hil_reduce_prepare, .eval = eval_logsum};
const hil_op_t hil_op_reducelogsumexp = {
    .type = "ReduceLogSumExp", .prepare = hil_reduce_prepare, .eval = eval_logsumexp};
