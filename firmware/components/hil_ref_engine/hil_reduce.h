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

#endif
