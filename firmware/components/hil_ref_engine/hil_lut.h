/*
 * Operators that are their table.
 *
 * int8: table[q + 128]. int16: a table of 65536 / step + 1 entries (65536 for step 1), the nearest
 * entry by the target's rounding, no interpolation. Source: ESP-DL 12c0616 dl_module_lut.hpp,
 * dl_base_lut.cpp.
 */
#ifndef HIL_LUT_H
#define HIL_LUT_H

#include "hil_op.h"

HIL_CHECK_RESULT hil_status_t hil_lut_prepare(hil_op_context_t *op);
HIL_CHECK_RESULT hil_status_t hil_lut_eval(hil_op_context_t *op);

#endif
