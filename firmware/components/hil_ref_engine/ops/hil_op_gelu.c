/* Gelu: only as a table. */
#include "hil_lut.h"

const hil_op_t hil_op_gelu = {.type = "Gelu", .prepare = hil_lut_prepare, .eval = hil_lut_eval};
