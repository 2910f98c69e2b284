/* Neg: -x saturated, exponents and tables ignored. Source: ESP-DL 12c0616 dl_module_neg.hpp. */
#include "hil_op.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    void *y = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < input->count; i++) {
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = -((const float *)input->data)[i];
            continue;
        }
        int32_t negative = -hil_load_int(input->data, input->dtype, i);
        int32_t most = hil_int_max(input->dtype);
        hil_store_int(y, input->dtype, i, negative > most ? most : negative);
    }
    return HIL_OK;
}

const hil_op_t hil_op_neg = {.type = "Neg", .prepare = prepare, .eval = eval};
