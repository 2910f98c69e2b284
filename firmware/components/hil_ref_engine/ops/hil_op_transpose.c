/* Transpose: dimensions in the order of `perm` (negative entries count from the end). */
#include "hil_walk.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t perm[HIL_MAX_RANK];
    uint32_t count;
    HIL_TRY(hil_op_int_list(op, "perm", &count, perm));
    if (count != 0 && count != input->rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "perm has not as many entries as the input has dimensions");
    }
    hil_walk_t *walk = hil_op_alloc(op, sizeof *walk);
    if (walk == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = walk;
    uint32_t strides[HIL_MAX_RANK];
    uint32_t seen = 0;
    hil_walk_strides(input->rank, input->dims, strides);
    walk->rank = input->rank;
    for (uint32_t i = 0; i < input->rank; i++) {
        uint32_t axis;
        HIL_TRY(hil_op_axis(op, count == 0 ? input->rank - 1 - i : perm[i], input->rank, &axis));
        seen |= 1u << axis;
        walk->dims[i] = input->dims[axis];
        walk->steps[i] = (int32_t)strides[axis];
    }
    if (seen != (1u << input->rank) - 1) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "perm is not a permutation");
    }
    return hil_op_set_shape(op, 0, walk->rank, walk->dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    hil_walk_copy(op->node->data, input->data, hil_op_output_data(op, 0),
                  hil_dtype_size(input->dtype));
    return HIL_OK;
}

const hil_op_t hil_op_transpose = {.type = "Transpose", .prepare = prepare, .eval = eval};
