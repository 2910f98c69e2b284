/*
 * ReduceProd: a running product of real numbers, float for int8 and double for int16.
 *
 * Source: ESP-DL 12c0616 dl_module_reduce_prod.hpp.
 */
#include "hil_reduce.h"

static float product_f32(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    float product = 1.0f;
    float scale = hil_exp2f(input->exponent);
    for (uint32_t j = 0; j < reduce->count; j++) {
        uint32_t at = first + hil_reduce_offset(reduce, j);
        product *= input->dtype == HIL_FLOAT
                       ? ((const float *)input->data)[at]
                       : (float)hil_load_int(input->data, input->dtype, at) * scale;
    }
    return product;
}

static double product_f64(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first)
{
    double product = 1.0;
    float scale = hil_exp2f(input->exponent);
    for (uint32_t j = 0; j < reduce->count; j++) {
        uint32_t at = first + hil_reduce_offset(reduce, j);
        product *= (double)((float)hil_load_int(input->data, input->dtype, at) * scale);
    }
    return product;
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_reduce_t *reduce = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    void *y = hil_op_output_data(op, 0);
    float rescale = hil_exp2f(-output->exponent);
    for (uint32_t i = 0; i < output->count; i++) {
        uint32_t first = hil_reduce_first(reduce, i);
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = product_f32(reduce, input, first);
            continue;
        }
        int32_t whole =
            input->dtype == HIL_INT8
                ? hil_round_f32(product_f32(reduce, input, first) * rescale, op->rounding)
                : hil_round_f64(product_f64(reduce, input, first) * (double)rescale, op->rounding);
        hil_store_int(y, input->dtype, i,
                      hil_clamp_s32(whole, hil_int_min(input->dtype), hil_int_max(input->dtype)));
    }
    return HIL_OK;
}

const hil_op_t hil_op_reduceprod = {
    .type = "ReduceProd", .prepare = hil_reduce_prepare, .eval = eval};
