/* MaxPool: padding never takes part; exponents are ignored, as on the board. */
#include "hil_pool.h"

static void max_window(hil_op_context_t *op, const hil_pool_t *pool, hil_span_t ys, hil_span_t xs,
                       uint32_t output)
{
    const hil_value_t *input = hil_op_input(op, 0);
    void *result = hil_op_output_data(op, 0);
    for (uint32_t c = 0; c < pool->channels; c++) {
        int32_t most = INT32_MIN;
        float most_float = -INFINITY;
        for (uint32_t y = ys.first; y < ys.end; y++) {
            for (uint32_t x = xs.first; x < xs.end; x++) {
                uint32_t at = (y * pool->x.input + x) * pool->channels + c;
                if (input->dtype == HIL_FLOAT) {
                    float value = ((const float *)input->data)[at];
                    most_float = value > most_float ? value : most_float;
                } else {
                    int32_t value = hil_load_int(input->data, input->dtype, at);
                    most = value > most ? value : most;
                }
            }
        }
        if (input->dtype == HIL_FLOAT) {
            ((float *)result)[output + c] = most_float;
        } else {
            hil_store_int(result, input->dtype, output + c, most);
        }
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_pool_each_window(op, max_window);
    return HIL_OK;
}

const hil_op_t hil_op_maxpool = {.type = "MaxPool", .prepare = hil_pool_prepare, .eval = eval};
