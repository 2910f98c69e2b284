/*
 * Sums over reduced dimensions: exact integers, shifted with rounding; floats in C order.
 *
 * Source: ESP-DL 12c0616 dl_module_reduce_sum.hpp, _l1.hpp, _sum_square.hpp.
 */
#ifndef HIL_REDUCE_SUM_H
#define HIL_REDUCE_SUM_H

#include "hil_reduce.h"

typedef enum { HIL_TERM_PLAIN, HIL_TERM_MAGNITUDE, HIL_TERM_SQUARE } hil_term_t;

HIL_CHECK_RESULT hil_status_t hil_reduce_sum_eval(hil_op_context_t *op, hil_term_t term);

#endif
