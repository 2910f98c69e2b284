/*
 * PRelu with one slope per channel, on [1, H, W, C]; int8 with one slope is a table.
 *
 * With s = e_y - e_x - e_alpha, negative inputs give (x * alpha) / 2^s:
 *   int8 on esp32s3, esp32p4    rounded and saturated; positive inputs are rescaled to e_y
 *   c family, int16 on esp32p4  floor, saturated; positive inputs are copied unscaled
 *   int16 on esp32s3            floor, low 16 bits; positive inputs are copied unscaled
 * Source: ESP-DL 12c0616 dl_base_prelu.cpp, isa/tie728 and isa/esp32p4 *_prelu.S.
 */
#include "hil_unary.h"

typedef struct {
    hil_unary_t unary; /* first: hil_unary_eval_table reads it */
    const void *alpha;
    uint32_t alpha_step; /* 0: one slope for all channels */
    uint32_t channels;
    int32_t shift;
    int32_t rescale; /* e_y - e_x, of positive inputs */
    bool vector_s8;
} prelu_t;

static hil_status_t check_exponents(hil_op_context_t *op, const prelu_t *prelu)
{
    if (prelu->vector_s8 && prelu->rescale < -6) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "output exponent more than 6 below the input's");
    }
    if (op->kernels != HIL_KERNELS_C && prelu->shift < 0) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "negative shift: output exponent below input plus slope exponent");
    }
    if (prelu->shift > 31 || prelu->shift < -15 || prelu->rescale > 31) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "exponents too far apart");
    }
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_unary_prepare(op));
    const hil_unary_t *unary = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *alpha = hil_op_parameter(op, 1);
    if (unary->table != NULL) {
        return HIL_OK;
    }
    if (alpha == NULL || alpha->dtype != input->dtype || alpha->rank != 3 || alpha->count == 0 ||
        input->rank != 4) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "slopes are not a constant [C, 1, 1] of the input's type");
    }
    prelu_t *prelu = hil_op_alloc(op, sizeof *prelu);
    if (prelu == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = prelu;
    prelu->channels = input->dims[3];
    prelu->alpha = alpha->data;
    prelu->alpha_step = 1;
    if (alpha->count != prelu->channels) {
        if (input->dtype == HIL_INT8 || (input->dtype == HIL_FLOAT && alpha->count != 1)) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "slopes and channels differ in number");
        }
        prelu->alpha_step = 0;
    }
    if (input->dtype == HIL_FLOAT) {
        return HIL_OK;
    }
    prelu->rescale = hil_op_output(op, 0)->exponent - input->exponent;
    prelu->shift = prelu->rescale - alpha->exponent;
    prelu->vector_s8 = op->kernels != HIL_KERNELS_C && input->dtype == HIL_INT8;
    return check_exponents(op, prelu);
}

static int64_t scaled(int64_t value, int32_t shift, hil_rounding_t rounding)
{
    return shift >= 0 ? hil_shift_round(value, (uint32_t)shift, rounding)
                      : value * ((int64_t)1 << -shift);
}

/* A negative input times its slope, as the kernel of this family and width has it. */
static int64_t negative(const hil_op_context_t *op, const prelu_t *prelu, hil_dtype_t dtype,
                        int64_t product)
{
    if (prelu->vector_s8) {
        return scaled(product, prelu->shift, op->rounding);
    }
    int64_t value = scaled(product, prelu->shift, HIL_ROUND_DOWN);
    if (dtype == HIL_INT16 && op->kernels == HIL_KERNELS_S3) {
        return hil_wrap_bits(value, 16);
    }
    /* The C kernels hold the product in 16 bits for int8, in 32 for int16. */
    return hil_wrap_bits(value, dtype == HIL_INT8 ? 16 : 32);
}

static hil_status_t eval_ints(hil_op_context_t *op, const prelu_t *prelu)
{
    const hil_value_t *input = hil_op_input(op, 0);
    hil_dtype_t dtype = input->dtype;
    void *y = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < input->count; i++) {
        int64_t value = hil_load_int(input->data, dtype, i);
        uint32_t channel = i % prelu->channels * prelu->alpha_step;
        if (value < 0) {
            value = negative(op, prelu, dtype, value * hil_load_int(prelu->alpha, dtype, channel));
        } else if (prelu->vector_s8) {
            value = scaled(value, prelu->rescale, op->rounding);
        }
        value = hil_clamp_s64(value, hil_int_min(dtype), hil_int_max(dtype));
        hil_store_int(y, dtype, i, (int32_t)value);
    }
    return HIL_OK;
}

static hil_status_t eval(hil_op_context_t *op)
{
    if (hil_unary_eval_table(op)) {
        return HIL_OK;
    }
    const prelu_t *prelu = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    if (input->dtype != HIL_FLOAT) {
        return eval_ints(op, prelu);
    }
    const float *x = input->data;
    const float *alpha = prelu->alpha;
    float *y = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < input->count; i++) {
        y[i] = x[i] >= 0.0f ? x[i] : x[i] * alpha[i % prelu->channels * prelu->alpha_step];
    }
    return HIL_OK;
}

const hil_op_t hil_op_prelu = {.type = "PRelu", .prepare = prepare, .eval = eval};
