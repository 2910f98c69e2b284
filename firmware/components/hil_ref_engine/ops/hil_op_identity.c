/* Identity: the input itself. */
#include "hil_view.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    return hil_view_prepare(op, input->rank, input->dims);
}

const hil_op_t hil_op_identity = {.type = "Identity", .prepare = prepare, .eval = hil_view_eval};
