/* What the normalizations from an axis on have in common: how the tensor is cut, and epsilon. */
#ifndef HIL_NORM_H
#define HIL_NORM_H

#include "hil_op.h"

typedef struct {
    uint32_t outer;
    uint32_t inner; /* elements that are normalized together */
    float epsilon;
} hil_norm_t;

/* Checks input and output 0, reads `axis` and `epsilon`; kept as the node's data. */
hil_status_t hil_norm_prepare(hil_op_context_t *op, uint32_t *axis);

#endif
