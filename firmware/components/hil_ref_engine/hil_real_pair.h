/*
 * Operators of two inputs that go through float32: clip(round(f(a, b) * 2^-e_y)).
 *
 * Source: ESP-DL 12c0616 dl_base_mod.cpp, dl_base_pow.cpp.
 */
#ifndef HIL_REAL_PAIR_H
#define HIL_REAL_PAIR_H

#include "hil_broadcast.h"

typedef float (*hil_real_pair_function_t)(float a, float b);

HIL_CHECK_RESULT hil_status_t hil_real_pair_prepare(hil_op_context_t *op);
HIL_CHECK_RESULT hil_status_t hil_real_pair_eval(hil_op_context_t *op,
                                                 hil_real_pair_function_t function);

#endif
