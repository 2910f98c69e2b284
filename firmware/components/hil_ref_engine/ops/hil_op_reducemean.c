/* ReduceMean: the exact sum, then float. Source: ESP-DL 12c0616 dl_module_reduce_mean.hpp. */
#include "hil_reduce.h"

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_reduce_t *reduce = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    void *y = hil_op_output_data(op, 0);
    float count = (float)reduce->count;
    float scale = hil_exp2f(input->exponent);
    float rescale = hil_exp2f(-output->exponent);
    for (uint32_t i = 0; i < output->count; i++) {
        uint32_t first = hil_reduce_first(reduce, i);
        int64_t sum = 0;
        float sum_float = 0.0f;
        for (uint32_t j = 0; j < reduce->count; j++) {
            uint32_t at = first + hil_reduce_offset(reduce, j);
            if (input->dtype == HIL_FLOAT) {
                sum_float += ((const float *)input->data)[at];
            } else {
                sum += hil_load_int(input->data, input->dtype, at);
            }
        }
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = sum_float / count;
        } else {
            float mean = (float)sum * scale / count * rescale;
            hil_store_int(y, input->dtype, i, hil_quantize(mean, input->dtype, op->rounding));
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_reducemean = {
    .type = "ReduceMean", .prepare = hil_reduce_prepare, .eval = eval};
