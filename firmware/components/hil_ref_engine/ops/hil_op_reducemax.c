/* ReduceMax and ReduceMin: of raw integers. Source: ESP-DL 12c0616 dl_module_reduce_max.hpp. */
#include <float.h>

#include "hil_reduce.h"

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

static hil_status_t evaluate(hil_op_context_t *op, bool largest)
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

static hil_status_t eval_max(hil_op_context_t *op)
{
    return evaluate(op, true);
}

static hil_status_t eval_min(hil_op_context_t *op)
{
    return evaluate(op, false);
}

const hil_op_t hil_op_reducemax = {
    .type = "ReduceMax", .prepare = hil_reduce_prepare, .eval = eval_max};
const hil_op_t hil_op_reducemin = {
    .type = "ReduceMin", .prepare = hil_reduce_prepare, .eval = eval_min};
