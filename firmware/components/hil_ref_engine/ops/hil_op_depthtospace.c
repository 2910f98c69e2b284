/*
 * DepthToSpace on [N, H, W, C]: blocks of channels become squares of pixels.
 *
 * Mode DCR is right on the board only where as many channels are left as the block is wide;
 * anything else is refused. Source: ESP-DL 12c0616 dl_module_depth_to_space.hpp.
 */
#include "hil_walk.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t size = hil_op_int(op, "blocksize", 0);
    hil_name_t mode = hil_op_string(op, "mode", "DCR");
    bool crd = hil_name_is(mode, "CRD");
    if (input->rank != 4 || size < 1 || size > 0xff || input->dims[3] % (size * size) != 0) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "rank, blocksize or channels");
    }
    uint32_t block = (uint32_t)size;
    uint32_t channels = input->dims[3] / (block * block);
    if (!crd && channels != block) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "mode DCR with channels left other than blocksize");
    }
    hil_walk_t *walk = hil_op_alloc(op, sizeof *walk);
    if (walk == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = walk;
    /* Output [N, H, block, W, block, C']: CRD takes input channel (c, y, x), DCR (y, x, c). */
    uint32_t dims[6] = {input->dims[0], input->dims[1], block, input->dims[2], block, channels};
    uint32_t pixel = input->dims[3];
    uint32_t row = input->dims[2] * pixel;
    uint32_t steps[6] = {
        input->dims[1] * row,   row, crd ? block : block * channels, pixel, crd ? 1 : channels,
        crd ? block * block : 1};
    walk->rank = 6;
    for (uint32_t i = 0; i < 6; i++) {
        walk->dims[i] = dims[i];
        walk->steps[i] = (int32_t)steps[i];
    }
    uint32_t shape[4] = {input->dims[0], input->dims[1] * block, input->dims[2] * block, channels};
    return hil_op_set_shape(op, 0, 4, shape);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    hil_walk_copy(op->node->data, input->data, hil_op_output_data(op, 0),
                  hil_dtype_size(input->dtype));
    return HIL_OK;
}

const hil_op_t hil_op_depthtospace = {.type = "DepthToSpace", .prepare = prepare, .eval = eval};
