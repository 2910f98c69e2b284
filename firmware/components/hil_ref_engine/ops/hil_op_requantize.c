/*
 * QuantizeLinear, DequantizeLinear, RequantizeLinear: one and the same conversion.
 *
 * Types and exponents of the two values decide; scale and zero point inputs are ignored, as on the
 * board. Source: ESP-DL 12c0616 dl_module_requantize_linear.hpp.
 */
#include "hil_requantize.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 3, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_set_shape(op, 0, input->rank, input->dims));
    return hil_requantize_check(op, input, hil_op_output(op, 0));
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_requantize(op, hil_op_input(op, 0), hil_op_output(op, 0), hil_op_output_data(op, 0));
    return HIL_OK;
}

const hil_op_t hil_op_quantize = {.type = "QuantizeLinear", .prepare = prepare, .eval = eval};
const hil_op_t hil_op_dequantize = {.type = "DequantizeLinear", .prepare = prepare, .eval = eval};
const hil_op_t hil_op_requantize = {.type = "RequantizeLinear", .prepare = prepare, .eval = eval};
