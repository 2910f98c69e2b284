/* Copying a tensor in another order. */
#include "hil_walk.h"

#include <string.h>

void hil_walk_strides(uint32_t rank, const uint32_t *dims, uint32_t *strides)
{
    uint32_t stride = 1;
    for (uint32_t i = rank; i-- > 0;) {
        strides[i] = stride;
        stride *= dims[i];
    }
}

void hil_walk_copy(const hil_walk_t *walk, const void *input, void *output, uint32_t size)
{
    uint32_t index[HIL_MAX_RANK] = {0};
    uint32_t count = hil_dims_product(walk->dims, 0, walk->rank);
    const uint8_t *from = input;
    uint8_t *to = output;
    int64_t at = walk->start;
    for (uint32_t i = 0; i < count; i++, to += size) {
        memcpy(to, from + (size_t)at * size, size);
        for (uint32_t d = walk->rank; d-- > 0;) {
            at += walk->steps[d];
            if (++index[d] < walk->dims[d]) {
                break;
            }
            at -= (int64_t)walk->steps[d] * walk->dims[d];
            index[d] = 0;
        }
    }
}
