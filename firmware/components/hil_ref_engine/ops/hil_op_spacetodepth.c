/*
 * SpaceToDepth on [N, H, W, C]: squares of pixels become channels, in the order (c, y, x).
 *
 * Source: ESP-DL 12c0616 dl_module_space_to_depth.hpp.
 */
#include "hil_walk.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t size = hil_op_int(op, "blocksize", 0);
    if (input->rank != 4 || size < 1 || size > 0xff || input->dims[1] % size != 0 ||
        input->dims[2] % size != 0) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "rank, blocksize, height or width");
    }
    hil_walk_t *walk = hil_op_alloc(op, sizeof *walk);
    if (walk == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = walk;
    uint32_t block = (uint32_t)size;
    uint32_t channels = input->dims[3];
    uint32_t row = input->dims[2] * channels;
    /* Output [N, H', W', C, y, x]. */
    uint32_t dims[6] = {
        input->dims[0], input->dims[1] / block, input->dims[2] / block, channels, block, block};
    uint32_t steps[6] = {input->dims[1] * row, block * row, block * channels, 1, row, channels};
    walk->rank = 6;
    for (uint32_t i = 0; i < 6; i++) {
        walk->dims[i] = dims[i];
        walk->steps[i] = (int32_t)steps[i];
    }
    uint64_t depth = (uint64_t)channels * block * block;
    if (depth > INT32_MAX) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "dimension of an output");
    }
    uint32_t shape[4] = {dims[0], dims[1], dims[2], (uint32_t)depth};
    return hil_op_set_shape(op, 0, 4, shape);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    hil_walk_copy(op->node->data, input->data, hil_op_output_data(op, 0),
                  hil_dtype_size(input->dtype));
    return HIL_OK;
}

const hil_op_t hil_op_spacetodepth = {.type = "SpaceToDepth", .prepare = prepare, .eval = eval};
