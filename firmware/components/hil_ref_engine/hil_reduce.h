/*
 * Reductions: which dimensions go, and the walk over the elements of one output.
 *
 * Source: ESP-DL 12c0616 dl_module_reduce_base.hpp.
 */
#ifndef HIL_REDUCE_H
#define HIL_REDUCE_H

#include "hil_op.h"

typedef struct {
    uint32_t kept_rank;
    uint32_t kept_dims[HIL_MAX_RANK];
    uint32_t kept_strides[HIL_MAX_RANK];
    uint32_t reduced_rank;
    uint32_t reduced_dims[HIL_MAX_RANK];
    uint32_t reduced_strides[HIL_MAX_RANK];
    uint32_t count; /* elements per output */
} hil_reduce_t;

/* Reads axes and keepdims, sets the output's shape, keeps a hil_reduce_t in the node's data. */
HIL_CHECK_RESULT hil_status_t hil_reduce_prepare(hil_op_context_t *op);
/* Input element of output `output` that comes first. */
uint32_t hil_reduce_first(const hil_reduce_t *reduce, uint32_t output);
/* Offset of the `i`-th element of an output from its first, in C order. */
uint32_t hil_reduce_offset(const hil_reduce_t *reduce, uint32_t i);

/* An element as a real number. */
float hil_reduce_real(const hil_value_t *value, uint32_t index);
/* The exact sum of x, or of x squared, of one output, as a real number. */
float hil_reduce_real_sum(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first,
                          bool squared);
/* A reduction to one real number, of the output whose first element is `first`. */
typedef float (*hil_reduction_t)(const hil_reduce_t *reduce, const hil_value_t *input,
                                 uint32_t first);
HIL_CHECK_RESULT hil_status_t hil_reduce_real_eval(hil_op_context_t *op, hil_reduction_t reduction);

#endif
