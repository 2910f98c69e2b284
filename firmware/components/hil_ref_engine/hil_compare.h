/*
 * Comparisons of raw integers, exponents ignored, to bool.
 *
 * Source: ESP-DL 12c0616 dl_base_equal.cpp and its four siblings.
 */
#ifndef HIL_COMPARE_H
#define HIL_COMPARE_H

#include "hil_broadcast.h"

/* Which of a < b, a == b, a > b give true. */
typedef struct {
    uint8_t less;
    uint8_t equal;
    uint8_t greater;
} hil_truth_t;

HIL_CHECK_RESULT hil_status_t hil_compare_prepare(hil_op_context_t *op);
HIL_CHECK_RESULT hil_status_t hil_compare_eval(hil_op_context_t *op, hil_truth_t truth);

#endif
