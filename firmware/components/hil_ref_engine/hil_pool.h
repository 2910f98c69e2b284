/*
 * Pools over [1, H, W, C] or [1, W, C].
 *
 * Windows are cut at the image's edge. The average divides by the whole kernel's area whatever the
 * window covers (as if count_include_pad were 1); ceil_mode and dilations are not read, as on the
 * board. Source: ESP-DL 12c0616 dl_base_pool2d.hpp, dl_base_avg_pool2d.cpp.
 */
#ifndef HIL_POOL_H
#define HIL_POOL_H

#include "hil_mac.h"

typedef struct {
    hil_mac_axis_t y;
    hil_mac_axis_t x;
    uint32_t channels;
} hil_pool_t;

/* Inputs of a window along one axis: [first, end). */
typedef struct {
    uint32_t first;
    uint32_t end;
} hil_span_t;

/* `output` is the element of the window's channel 0. */
typedef void (*hil_window_t)(hil_op_context_t *op, const hil_pool_t *pool, hil_span_t y,
                             hil_span_t x, uint32_t output);

HIL_CHECK_RESULT hil_status_t hil_pool_prepare(hil_op_context_t *op);
/* The kernel is the whole image. */
HIL_CHECK_RESULT hil_status_t hil_pool_prepare_global(hil_op_context_t *op);
void hil_pool_each_window(hil_op_context_t *op, hil_window_t window);
HIL_CHECK_RESULT hil_status_t hil_pool_eval_average(hil_op_context_t *op);

#endif
