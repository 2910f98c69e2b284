/* Softmax and LogSoftmax. */
#include "hil_softmax.h"

hil_status_t hil_softmax_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    if (hil_op_output(op, 0)->dtype != HIL_FLOAT) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the output is not float");
    }
    hil_axis_view_t *view = hil_op_alloc(op, sizeof *view);
    if (view == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = view;
    *view = (hil_axis_view_t){1, 1, 1};
    if (input->rank != 0) {
        uint32_t axis;
        HIL_TRY(hil_op_axis(op, hil_op_int(op, "axis", -1), input->rank, &axis));
        *view = hil_axis_view(input, axis);
    }
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

static float real(const hil_value_t *value, uint32_t index)
{
    if (value->dtype == HIL_FLOAT) {
        return ((const float *)value->data)[index];
    }
    return hil_exp2f(value->exponent) * (float)hil_load_int(value->data, value->dtype, index);
}

/* What is subtracted before the exponential. */
static float offset_of(const hil_value_t *input, const hil_axis_view_t *view, uint32_t first)
{
    if (input->dtype == HIL_INT8) {
        return 0.0f;
    }
    float most = real(input, first);
    for (uint32_t i = 1; i < view->length; i++) {
        float x = real(input, first + i * view->inner);
        most = x > most ? x : most;
    }
    return most;
}

static float sum_of(const hil_value_t *input, const hil_axis_view_t *view, uint32_t first,
                    float offset)
{
    float sum = 0.0f;
    for (uint32_t i = 0; i < view->length; i++) {
        sum += expf(real(input, first + i * view->inner) - offset);
    }
    return sum;
}

hil_status_t hil_softmax_eval(hil_op_context_t *op, bool logarithm)
{
    const hil_axis_view_t *view = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    float *y = hil_op_output_data(op, 0);
    for (uint32_t o = 0; o < view->outer; o++) {
        for (uint32_t k = 0; k < view->inner; k++) {
            uint32_t first = o * view->length * view->inner + k;
            float offset = offset_of(input, view, first);
            float sum = sum_of(input, view, first, offset);
            float log_sum = logarithm ? logf(sum) : 0.0f;
            for (uint32_t i = 0; i < view->length; i++) {
                uint32_t at = first + i * view->inner;
                float x = real(input, at) - offset;
                y[at] = logarithm ? x - log_sum : expf(x) / sum;
            }
        }
    }
    return HIL_OK;
}
