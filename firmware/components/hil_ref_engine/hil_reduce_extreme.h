/*
 * The largest or smallest of raw integers over reduced dimensions.
 *
 * Source: ESP-DL 12c0616 dl_module_reduce_max.hpp, dl_module_reduce_min.hpp.
 */
#ifndef HIL_REDUCE_EXTREME_H
#define HIL_REDUCE_EXTREME_H

#include "hil_reduce.h"

HIL_CHECK_RESULT hil_status_t hil_reduce_extreme_eval(hil_op_context_t *op, bool largest);

#endif
