/* LogSoftmax along `axis`. */
#include "hil_softmax.h"

static hil_status_t eval(hil_op_context_t *op)
{
    return hil_softmax_eval(op, true);
}

const hil_op_t hil_op_logsoftmax = {
    .type = "LogSoftmax", .prepare = hil_softmax_prepare, .eval = eval};
