/* QuantizeLinear: the types and exponents of both values decide. */
#include "hil_requantize.h"

const hil_op_t hil_op_quantizelinear = {
    .type = "QuantizeLinear", .prepare = hil_requantize_prepare, .eval = hil_requantize_eval};
