/*
 * LpNormalization along `axis`, p 1 or 2: the input's exponent cancels.
 *
 * Source: ESP-DL 12c0616 dl_module_lp_normalization.hpp.
 */
#include "hil_axis.h"

typedef struct {
    hil_axis_view_t view;
    bool magnitudes; /* p is 1 */
} lp_norm_t;

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    lp_norm_t *norm = hil_op_alloc(op, sizeof *norm);
    if (norm == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = norm;
    uint32_t axis;
    HIL_TRY(hil_op_axis(op, hil_op_int(op, "axis", -1), input->rank, &axis));
    norm->view = hil_axis_view(input, axis);
    int64_t p = hil_op_int(op, "p", 2);
    if (p != 1 && p != 2) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "p other than 1 and 2");
    }
    norm->magnitudes = p == 1;
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

/* 1 / norm of one line, 0 where the line is all zeros. */
static float inverse_norm(const lp_norm_t *norm, const hil_value_t *input, uint32_t first)
{
    float magnitudes = 0.0f;
    float squares_float = 0.0f;
    int64_t squares = 0;
    for (uint32_t i = 0; i < norm->view.length; i++) {
        uint32_t at = first + i * norm->view.inner;
        if (input->dtype == HIL_FLOAT) {
            float x = ((const float *)input->data)[at];
            magnitudes += fabsf(x);
            squares_float += x * x;
        } else {
            int64_t q = hil_load_int(input->data, input->dtype, at);
            magnitudes += fabsf((float)q);
            squares += q * q;
        }
    }
    if (norm->magnitudes) {
        return magnitudes > 0.0f ? 1.0f / magnitudes : 0.0f;
    }
    float sum = input->dtype == HIL_FLOAT ? squares_float : (float)squares;
    return sum > 0.0f ? 1.0f / sqrtf(sum) : 0.0f;
}

static hil_status_t eval(hil_op_context_t *op)
{
    const lp_norm_t *norm = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    void *y = hil_op_output_data(op, 0);
    float rescale = hil_exp2f(-hil_op_output(op, 0)->exponent);
    for (uint32_t line = 0; line < norm->view.outer * norm->view.inner; line++) {
        uint32_t first = line / norm->view.inner * norm->view.length * norm->view.inner +
                         line % norm->view.inner;
        float inverse = inverse_norm(norm, input, first);
        for (uint32_t i = 0; i < norm->view.length; i++) {
            uint32_t at = first + i * norm->view.inner;
            if (input->dtype == HIL_FLOAT) {
                ((float *)y)[at] = inverse > 0.0f ? ((const float *)input->data)[at] * inverse : 0;
                continue;
            }
            float value = (float)hil_load_int(input->data, input->dtype, at) * inverse * rescale;
            hil_store_int(y, input->dtype, at, hil_quantize(value, input->dtype, op->rounding));
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_lpnormalization = {
    .type = "LpNormalization", .prepare = prepare, .eval = eval};
