/* LUT: any function as a table. */
#include "hil_lut.h"

const hil_op_t hil_op_lut = {.type = "LUT", .prepare = hil_lut_prepare, .eval = hil_lut_eval};
