/* The largest or smallest over reduced dimensions. */
#include "hil_reduce_extreme.h"

#include <float.h>

static float extreme_float(const hil_reduce_t *reduce, const float *x, bool largest)
{
    float found = largest ? -FLT_MAX : INFINITY;
    for (uint32_t j = 0; j < reduce->count; j++) {
        float value = x[hil_reduce_offset(reduce, j)];
        if (largest ? found < value : value < found) {
            found = value;
        }
    }
    return found;
}

hil_status_t hil_reduce_extreme_eval(hil_op_context_t *op, bool largest)
{
    const hil_reduce_t *reduce = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    void *y = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < hil_op_output(op, 0)->count; i++) {
        uint32_t first = hil_reduce_first(reduce, i);
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = extreme_float(reduce, (const float *)input->data + first, largest);
            continue;
        }
        int32_t found = hil_load_int(input->data, input->dtype, first);
        for (uint32_t j = 1; j < reduce->count; j++) {
            int32_t value =
                hil_load_int(input->data, input->dtype, first + hil_reduce_offset(reduce, j));
            if (largest ? value > found : value < found) {
                found = value;
            }
        }
        hil_store_int(y, input->dtype, i, found);
    }
    return HIL_OK;
}
