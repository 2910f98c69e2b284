/*
 * Copying a tensor in another order: outputs in C order, inputs by one step per output dimension.
 *
 * Transpose, Slice, DepthToSpace and the like differ only in the steps.
 */
#ifndef HIL_WALK_H
#define HIL_WALK_H

#include "hil_op.h"

typedef struct {
    uint32_t rank;
    uint32_t dims[HIL_MAX_RANK]; /* of the output */
    int32_t steps[HIL_MAX_RANK]; /* input elements; may be negative */
    uint32_t start;              /* input element of output element 0 */
} hil_walk_t;

/* Copies elements of `size` bytes. */
void hil_walk_copy(const hil_walk_t *walk, const void *input, void *output, uint32_t size);

/* Steps of a tensor in C order. */
void hil_walk_strides(uint32_t rank, const uint32_t *dims, uint32_t *strides);

#endif
