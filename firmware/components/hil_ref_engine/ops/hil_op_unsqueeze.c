/* Unsqueeze: dimensions of 1 where input 1 says. */
#include "hil_view.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *axes = hil_op_input(op, 1);
    bool marked[HIL_MAX_RANK];
    uint32_t count;
    if (axes->count > HIL_MAX_RANK - input->rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "rank of an output");
    }
    uint32_t rank = input->rank + axes->count;
    HIL_TRY(hil_view_axes(op, rank, marked, &count));
    uint32_t dims[HIL_MAX_RANK];
    uint32_t next = 0;
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = marked[i] ? 1 : input->dims[next++];
    }
    return hil_view_prepare(op, rank, dims);
}

const hil_op_t hil_op_unsqueeze = {.type = "Unsqueeze", .prepare = prepare, .eval = hil_view_eval};
