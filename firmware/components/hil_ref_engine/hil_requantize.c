/* From one type and exponent to another. */
#include "hil_requantize.h"

#include <string.h>

/* The vector kernels take over beyond this many elements. */
#define VECTOR_SIZE 50u

static bool is_small_int(hil_dtype_t dtype)
{
    return dtype == HIL_INT8 || dtype == HIL_INT16;
}

hil_status_t hil_requantize_check(hil_op_context_t *op, const hil_value_t *input,
                                  const hil_value_t *output)
{
    if (input->count != output->count) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "input and output differ in size");
    }
    if (input->dtype == output->dtype && input->exponent == output->exponent) {
        return HIL_OK;
    }
    bool from_float = input->dtype == HIL_FLOAT && is_small_int(output->dtype);
    bool to_float = is_small_int(input->dtype) && output->dtype == HIL_FLOAT;
    if (from_float || to_float) {
        return HIL_OK;
    }
    if (!is_small_int(input->dtype) || !is_small_int(output->dtype)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element types of input and output");
    }
    int32_t shift = output->exponent - input->exponent;
    if (op->kernels == HIL_KERNELS_C || input->count <= VECTOR_SIZE || shift == 0) {
        return HIL_OK;
    }
    if (input->dtype == HIL_INT16 && output->dtype == HIL_INT16 && shift < -14) {
        return HIL_OK; /* ESP-DL itself leaves this one to its float path */
    }
    int32_t least = -14;
    if (op->kernels == HIL_KERNELS_S3) {
        if (output->dtype == HIL_INT8) {
            least = input->dtype == HIL_INT8 ? -6 : -4;
        } else if (input->dtype == HIL_INT8 && input->count % 16 == 8) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                     "esp32s3 int8 to int16 never writes the last 8 of these elements");
        }
    }
    if (shift < least) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "requantization by more than the vector kernel's scale holds");
    }
    return HIL_OK;
}

static int32_t requantize_one(int32_t q, int32_t shift, hil_rounding_t rounding)
{
    if (shift >= 0) {
        return (int32_t)hil_shift_round(q, (uint32_t)(shift > 63 ? 63 : shift), rounding);
    }
    /* The caller saturates to 16 bits: a left shift beyond 16 adds nothing. */
    return (int32_t)hil_clamp_s64((int64_t)q * ((int64_t)1 << (shift < -16 ? 16 : -shift)),
                                  INT32_MIN, INT32_MAX);
}

void hil_requantize(const hil_op_context_t *op, const hil_value_t *input, const hil_value_t *output,
                    void *result)
{
    if (input->dtype == output->dtype && input->exponent == output->exponent) {
        memcpy(result, input->data, input->size_bytes);
        return;
    }
    if (input->dtype == HIL_FLOAT) {
        const float *x = input->data;
        float rescale = hil_exp2f(-output->exponent);
        for (uint32_t i = 0; i < input->count; i++) {
            hil_store_int(result, output->dtype, i,
                          hil_quantize(x[i] * rescale, output->dtype, op->rounding));
        }
        return;
    }
    if (output->dtype == HIL_FLOAT) {
        float *y = result;
        float scale = hil_exp2f(input->exponent);
        for (uint32_t i = 0; i < input->count; i++) {
            y[i] = (float)hil_load_int(input->data, input->dtype, i) * scale;
        }
        return;
    }
    int32_t shift = output->exponent - input->exponent;
    int32_t low = hil_int_min(output->dtype);
    int32_t high = hil_int_max(output->dtype);
    for (uint32_t i = 0; i < input->count; i++) {
        int32_t q = hil_load_int(input->data, input->dtype, i);
        hil_store_int(result, output->dtype, i,
                      hil_clamp_s32(requantize_one(q, shift, op->rounding), low, high));
    }
}

hil_status_t hil_requantize_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 3, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_set_shape(op, 0, input->rank, input->dims));
    return hil_requantize_check(op, input, hil_op_output(op, 0));
}

hil_status_t hil_requantize_eval(hil_op_context_t *op)
{
    hil_requantize(op, hil_op_input(op, 0), hil_op_output(op, 0), hil_op_output_data(op, 0));
    return HIL_OK;
}
