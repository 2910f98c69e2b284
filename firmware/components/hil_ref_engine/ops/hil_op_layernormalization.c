/*
 * LayerNormalization over the dimensions from `axis` on; scale and bias are of the input's type.
 *
 * Optional outputs: mean and inverse standard deviation. Source: ESP-DL 12c0616
 * dl_module_layer_normalization.hpp.
 */
#include "hil_norm.h"

static hil_status_t check_parameter(hil_op_context_t *op, uint32_t index, uint32_t inner)
{
    const hil_value_t *parameter = hil_op_input(op, index);
    if (parameter != NULL &&
        (parameter->dtype != hil_op_input(op, 0)->dtype || parameter->count != inner)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "type or size of scale or bias");
    }
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 3, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    uint32_t axis;
    HIL_TRY(hil_norm_prepare(op, &axis));
    const hil_norm_t *norm = op->node->data;
    HIL_TRY(check_parameter(op, 1, norm->inner));
    HIL_TRY(check_parameter(op, 2, norm->inner));
    uint32_t dims[HIL_MAX_RANK];
    for (uint32_t i = 0; i < input->rank; i++) {
        dims[i] = i < axis ? input->dims[i] : 1;
    }
    for (uint32_t i = 1; i < 3 && i < op->node->output_count; i++) {
        if (hil_op_output(op, i) != NULL) {
            HIL_TRY(hil_op_require_same_dtype(op, i));
            HIL_TRY(hil_op_set_shape(op, i, input->rank, dims));
        }
    }
    return HIL_OK;
}

/* Mean and inverse standard deviation of one slice; `mean` in units of `scale` for integers. */
typedef struct {
    float mean;
    float inverse;
} moments_t;

static float element(const hil_value_t *value, uint32_t index)
{
    return value->dtype == HIL_FLOAT ? ((const float *)value->data)[index]
                                     : (float)hil_load_int(value->data, value->dtype, index);
}

static moments_t moments_of(const hil_norm_t *norm, const hil_value_t *input, uint32_t first,
                            float scale)
{
    moments_t moments = {0.0f, 0.0f};
    int32_t sum = 0;
    for (uint32_t j = 0; j < norm->inner; j++) {
        if (input->dtype == HIL_FLOAT) {
            moments.mean += element(input, first + j);
        } else {
            sum = (int32_t)((uint32_t)sum +
                            (uint32_t)hil_load_int(input->data, input->dtype, first + j));
        }
    }
    moments.mean = input->dtype == HIL_FLOAT ? moments.mean / (float)norm->inner
                                             : (float)((double)sum / (double)norm->inner);
    float variance = 0.0f;
    for (uint32_t j = 0; j < norm->inner; j++) {
        float difference = element(input, first + j) - moments.mean;
        variance += difference * difference;
    }
    variance *= scale * scale;
    variance /= (float)norm->inner;
    moments.inverse = 1.0f / hil_sqrt_newton(variance + norm->epsilon);
    return moments;
}

/* A real number into element `index` of output `output`, if the node has that output. */
static void store(hil_op_context_t *op, uint32_t output, uint32_t index, float value)
{
    const hil_value_t *result = hil_op_output(op, output);
    if (result == NULL) {
        return;
    }
    void *data = hil_op_output_data(op, output);
    if (result->dtype == HIL_FLOAT) {
        ((float *)data)[index] = value;
        return;
    }
    float scaled = value * hil_exp2f(-result->exponent);
    hil_store_int(data, result->dtype, index, hil_quantize(scaled, result->dtype, op->rounding));
}

static float parameter(const hil_value_t *value, uint32_t index, float absent)
{
    if (value == NULL) {
        return absent;
    }
    float scale = value->dtype == HIL_FLOAT ? 1.0f : hil_exp2f(value->exponent);
    return element(value, index) * scale;
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_norm_t *norm = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    float scale = input->dtype == HIL_FLOAT ? 1.0f : hil_exp2f(input->exponent);
    for (uint32_t i = 0; i < norm->outer; i++) {
        uint32_t first = i * norm->inner;
        moments_t moments = moments_of(norm, input, first, scale);
        moments.mean *= scale;
        store(op, 1, i, moments.mean);
        store(op, 2, i, moments.inverse);
        for (uint32_t j = 0; j < norm->inner; j++) {
            float x = element(input, first + j) * scale;
            float normal = (x - moments.mean) * moments.inverse;
            float y = normal * parameter(hil_op_input(op, 1), j, 1.0f) +
                      parameter(hil_op_input(op, 2), j, 0.0f);
            store(op, 0, first + j, y);
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_layernormalization = {
    .type = "LayerNormalization", .prepare = prepare, .eval = eval};
