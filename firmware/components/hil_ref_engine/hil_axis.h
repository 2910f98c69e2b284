/* A tensor seen along one axis: [outer][length][inner]. */
#ifndef HIL_AXIS_H
#define HIL_AXIS_H

#include "hil_op.h"

typedef struct {
    uint32_t outer;
    uint32_t length;
    uint32_t inner;
} hil_axis_view_t;

static inline hil_axis_view_t hil_axis_view(const hil_value_t *value, uint32_t axis)
{
    hil_axis_view_t view = {hil_dims_product(value->dims, 0, axis), value->dims[axis],
                            hil_dims_product(value->dims, axis + 1, value->rank)};
    return view;
}

#endif
