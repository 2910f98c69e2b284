/*
 * ReverseSequence over the first two axes. Source: ESP-DL 12c0616 dl_module_reverse_sequence.hpp.
 */
#include <string.h>

#include "hil_op.h"

typedef struct {
    uint32_t batch_axis; /* 0 or 1; time is the other one */
} reverse_t;

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *lengths = hil_op_input(op, 1);
    int64_t batch_axis = hil_op_int(op, "batch_axis", 1);
    int64_t time_axis = hil_op_int(op, "time_axis", 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    if (input->rank < 2 || batch_axis < 0 || batch_axis > 1 || time_axis != 1 - batch_axis) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "batch_axis and time_axis other than 0 and 1");
    }
    if (lengths->dtype != HIL_INT64 || lengths->count != input->dims[batch_axis]) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "sequence lengths are not one int64 per batch");
    }
    reverse_t *reverse = hil_op_alloc(op, sizeof *reverse);
    if (reverse == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = reverse;
    reverse->batch_axis = (uint32_t)batch_axis;
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const reverse_t *reverse = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const int64_t *lengths = hil_op_input(op, 1)->data;
    uint32_t batches = input->dims[reverse->batch_axis];
    uint32_t times = input->dims[1 - reverse->batch_axis];
    size_t item =
        (size_t)hil_dims_product(input->dims, 2, input->rank) * hil_dtype_size(input->dtype);
    size_t batch_step = reverse->batch_axis == 0 ? times * item : item;
    size_t time_step = reverse->batch_axis == 0 ? item : batches * item;
    const uint8_t *from = input->data;
    uint8_t *to = hil_op_output_data(op, 0);
    for (uint32_t b = 0; b < batches; b++) {
        if (lengths[b] < 0 || lengths[b] > (int64_t)times) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "a sequence length is beyond the time axis");
        }
        for (uint32_t t = 0; t < times; t++) {
            uint32_t source = (int64_t)t < lengths[b] ? (uint32_t)(lengths[b] - 1 - t) : t;
            memcpy(to + b * batch_step + t * time_step, from + b * batch_step + source * time_step,
                   item);
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_reversesequence = {
    .type = "ReverseSequence", .prepare = prepare, .eval = eval};
