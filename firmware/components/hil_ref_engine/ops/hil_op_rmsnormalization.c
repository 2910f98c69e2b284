/*
 * RMSNormalization over the dimensions from `axis` on; the scale stays float.
 *
 * Source: ESP-DL 12c0616 dl_module_rms_normalization.hpp, dl_base_norm.cpp.
 */
#include "hil_norm.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    uint32_t axis;
    HIL_TRY(hil_norm_prepare(op, &axis));
    const hil_norm_t *norm = op->node->data;
    const hil_value_t *scale = hil_op_input(op, 1);
    if (scale->dtype != HIL_FLOAT || scale->count != norm->inner) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the scale is not one float per normalized element");
    }
    return HIL_OK;
}

static float inverse_of(float mean_square, float epsilon)
{
    return 1.0f / sqrtf(mean_square + epsilon);
}

static void normalize_floats(const hil_norm_t *norm, const float *x, const float *scale, float *y)
{
    float square = 0.0f;
    for (uint32_t j = 0; j < norm->inner; j++) {
        square += x[j] * x[j];
    }
    float inverse = inverse_of(square / (float)norm->inner, norm->epsilon);
    for (uint32_t j = 0; j < norm->inner; j++) {
        y[j] = x[j] * inverse * scale[j];
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_norm_t *norm = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const float *scale = hil_op_input(op, 1)->data;
    void *y = hil_op_output_data(op, 0);
    float unit = hil_exp2f(input->exponent);
    float factor = unit * hil_exp2f(-hil_op_output(op, 0)->exponent);
    for (uint32_t i = 0; i < norm->outer; i++) {
        uint32_t first = i * norm->inner;
        if (input->dtype == HIL_FLOAT) {
            normalize_floats(norm, (const float *)input->data + first, scale, (float *)y + first);
            continue;
        }
        int64_t square = 0;
        for (uint32_t j = 0; j < norm->inner; j++) {
            int64_t q = hil_load_int(input->data, input->dtype, first + j);
            square += q * q;
        }
        float mean_square = (float)square * (unit * unit) / (float)norm->inner;
        float inverse = inverse_of(mean_square, norm->epsilon) * factor;
        for (uint32_t j = 0; j < norm->inner; j++) {
            float value = (float)hil_load_int(input->data, input->dtype, first + j) * inverse;
            value *= scale[j];
            hil_store_int(y, input->dtype, first + j,
                          hil_quantize(value, input->dtype, op->rounding));
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_rmsnormalization = {
    .type = "RMSNormalization", .prepare = prepare, .eval = eval};
