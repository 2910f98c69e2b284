/*
 * Elementwise operators of two inputs: ONNX broadcasting as rows.
 *
 * Dimensions that broadcast alike are merged; what is left is walked as rows along the innermost
 * one. The length of a row matters: ESP-DL chooses its kernel by it. Source: ESP-DL 12c0616
 * dl_base_elemwise.cpp.
 */
#ifndef HIL_BROADCAST_H
#define HIL_BROADCAST_H

#include "hil_op.h"

#define HIL_BROADCAST_RANK 4u

typedef struct {
    uint32_t rank; /* merged, at least 1 */
    uint32_t dims[HIL_BROADCAST_RANK];
    uint32_t steps[2][HIL_BROADCAST_RANK]; /* elements; 0 where the input is repeated */
    uint32_t length;                       /* of a row: the last of dims */
} hil_broadcast_t;

/* One row: `a` and `b` advance by their step (0 or 1) per element of `y`. */
typedef struct {
    const void *a;
    const void *b;
    void *y;
    uint32_t a_step;
    uint32_t b_step;
    uint32_t length;
    const void *extra; /* the operator's own */
} hil_row_t;

typedef void (*hil_row_function_t)(const hil_op_context_t *op, const hil_row_t *row);

/* Checks both inputs, keeps a hil_broadcast_t in the node's data and sets the output's shape. */
HIL_CHECK_RESULT hil_status_t hil_broadcast_prepare(hil_op_context_t *op);
void hil_broadcast_rows(hil_op_context_t *op, hil_row_function_t function, const void *extra);

#endif
