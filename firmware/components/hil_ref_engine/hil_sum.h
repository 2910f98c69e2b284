/*
 * Add and Sub: raw integers, saturated; exponents are ignored, as on the board.
 *
 * Source: ESP-DL 12c0616 dl_base_add.cpp, dl_base_sub.cpp.
 */
#ifndef HIL_SUM_H
#define HIL_SUM_H

#include "hil_broadcast.h"

HIL_CHECK_RESULT hil_status_t hil_sum_prepare(hil_op_context_t *op);
/* a + sign * b. */
HIL_CHECK_RESULT hil_status_t hil_sum_eval(hil_op_context_t *op, int32_t sign);

#endif
