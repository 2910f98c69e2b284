/*
 * Softmax and LogSoftmax: the output is float.
 *
 * int8 sums exp(q 2^e) without subtracting the maximum, as the board's table does; int16 and float
 * subtract it. Source: ESP-DL 12c0616 dl_module_softmax.hpp, dl_module_log_softmax.hpp.
 */
#ifndef HIL_SOFTMAX_H
#define HIL_SOFTMAX_H

#include "hil_axis.h"

HIL_CHECK_RESULT hil_status_t hil_softmax_prepare(hil_op_context_t *op);
HIL_CHECK_RESULT hil_status_t hil_softmax_eval(hil_op_context_t *op, bool logarithm);

#endif
