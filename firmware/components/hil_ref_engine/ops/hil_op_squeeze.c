/* Squeeze: without the dimensions that input 1 names, or without all of 1. */
#include "hil_view.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    bool marked[HIL_MAX_RANK];
    bool all = hil_op_input(op, 1) == NULL;
    uint32_t count;
    if (!all) {
        HIL_TRY(hil_view_axes(op, input->rank, marked, &count));
    }
    uint32_t dims[HIL_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < input->rank; i++) {
        bool drop = all ? input->dims[i] == 1 : marked[i];
        if (drop && input->dims[i] != 1) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "a squeezed dimension is not 1");
        }
        if (!drop) {
            dims[rank++] = input->dims[i];
        }
    }
    return hil_view_prepare(op, rank, dims);
}

const hil_op_t hil_op_squeeze = {.type = "Squeeze", .prepare = prepare, .eval = hil_view_eval};
