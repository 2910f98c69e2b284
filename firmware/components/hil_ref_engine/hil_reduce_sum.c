/* Sums over reduced dimensions. */
#include "hil_reduce_sum.h"

static int64_t int_term(hil_term_t term, int64_t q)
{
    return term == HIL_TERM_PLAIN ? q : term == HIL_TERM_SQUARE ? q * q : q < 0 ? -q : q;
}

static float float_term(hil_term_t term, float x)
{
    return term == HIL_TERM_PLAIN ? x : term == HIL_TERM_SQUARE ? x * x : fabsf(x);
}

static float sum_floats(const hil_reduce_t *reduce, hil_term_t term, const float *x)
{
    float sum = 0.0f;
    for (uint32_t j = 0; j < reduce->count; j++) {
        sum += float_term(term, x[hil_reduce_offset(reduce, j)]);
    }
    return sum;
}

/* Shift right with rounding, or left with saturation; the caller saturates to 16 bits anyway. */
static int64_t scaled(int64_t sum, int32_t shift, hil_rounding_t rounding)
{
    if (shift >= 0) {
        return hil_shift_round(sum, (uint32_t)(shift > 63 ? 63 : shift), rounding);
    }
    return hil_clamp_s64(sum, -0x10000, 0x10000) * ((int64_t)1 << (shift < -32 ? 32 : -shift));
}

hil_status_t hil_reduce_sum_eval(hil_op_context_t *op, hil_term_t term)
{
    const hil_reduce_t *reduce = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    void *y = hil_op_output_data(op, 0);
    int32_t shift = output->exponent - input->exponent * (term == HIL_TERM_SQUARE ? 2 : 1);
    for (uint32_t i = 0; i < output->count; i++) {
        uint32_t first = hil_reduce_first(reduce, i);
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = sum_floats(reduce, term, (const float *)input->data + first);
            continue;
        }
        int64_t sum = 0;
        for (uint32_t j = 0; j < reduce->count; j++) {
            uint32_t at = first + hil_reduce_offset(reduce, j);
            sum += int_term(term, hil_load_int(input->data, input->dtype, at));
        }
        int64_t value = hil_clamp_s64(scaled(sum, shift, op->rounding), hil_int_min(input->dtype),
                                      hil_int_max(input->dtype));
        hil_store_int(y, input->dtype, i, (int32_t)value);
    }
    return HIL_OK;
}
