/*
 * RMSNormalization over the dimensions from `axis` on; the scale stays float.
 *
 * Source: ESP-DL 12c0616 dl_module_rms_normalization.hpp, dl_base_norm.cpp.
 */
#include "hil_op.h"

typedef struct {
    uint32_t outer;
    uint32_t inner;
    float epsilon;
} rms_norm_t;

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *scale = hil_op_input(op, 1);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    rms_norm_t *norm = hil_op_alloc(op, sizeof *norm);
    if (norm == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = norm;
    uint32_t axis;
    HIL_TRY(hil_op_axis(op, hil_op_int(op, "axis", -1), input->rank, &axis));
    norm->outer = hil_dims_product(input->dims, 0, axis);
    norm->inner = hil_dims_product(input->dims, axis, input->rank);
    norm->epsilon = hil_op_float(op, "epsilon", 1e-5f);
    if (scale->dtype != HIL_FLOAT || scale->count != norm->inner) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the scale is not one float per normalized element");
    }
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

static float inverse_of(float mean_square, float epsilon)
{
    return 1.0f / sqrtf(mean_square + epsilon);
}

static void normalize_floats(const rms_norm_t *norm, const float *x, const float *scale, float *y)
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
    const rms_norm_t *norm = op->node->data;
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
