/*
 * Slice, with the board's meaning of negative steps: the range is mirrored, taken forwards, and the
 * result reversed.
 *
 * Source: ESP-DL 12c0616 dl_module_slice.hpp, dl_tensor_base.cpp `_slice`, dl_base_shape.cpp
 * `get_slice_shape`.
 */
#include "hil_walk.h"

/* One axis of the output: `count` coordinates from `first`, `step` apart. */
typedef struct {
    int64_t first;
    int64_t step;
    int64_t count;
} range_t;

static hil_status_t read_range(hil_op_context_t *op, int64_t start, int64_t end, int64_t step,
                               uint32_t size, range_t *range)
{
    start = hil_clamp_s64(start, INT32_MIN, INT32_MAX);
    end = hil_clamp_s64(end, INT32_MIN, INT32_MAX);
    step = hil_clamp_s64(step, INT32_MIN, INT32_MAX);
    bool reversed = step < 0;
    if (reversed) {
        start = -start - 1;
        end = -end - 1;
        step = -step;
    }
    end = end > (int64_t)size ? (int64_t)size : end;
    start += start < 0 ? (int64_t)size : 0;
    end += end < 0 ? (int64_t)size : 0;
    if (step == 0 || start < 0 || end > (int64_t)size || start >= end) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "starts, ends or steps");
    }
    range->count = 1 + (end - start - 1) / step;
    range->first = reversed ? start + (range->count - 1) * step : start;
    range->step = reversed ? -step : step;
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 3, 5, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t parts[4][HIL_MAX_RANK]; /* starts, ends, axes, steps */
    uint32_t counts[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < 4; i++) {
        if (hil_op_input(op, i + 1) != NULL) {
            HIL_TRY(hil_op_int_parameter(op, i + 1, HIL_MAX_RANK, &counts[i], parts[i]));
            if (counts[i] != counts[0]) {
                HIL_FAIL(op, HIL_ERR_SHAPE, "starts, ends, axes and steps differ in number");
            }
        }
    }
    hil_walk_t *walk = hil_op_alloc(op, sizeof *walk);
    if (walk == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = walk;
    range_t ranges[HIL_MAX_RANK];
    for (uint32_t i = 0; i < input->rank; i++) {
        ranges[i] = (range_t){0, 1, input->dims[i]};
    }
    bool named[HIL_MAX_RANK] = {false};
    for (uint32_t i = 0; i < counts[0]; i++) {
        uint32_t axis;
        HIL_TRY(hil_op_axis(op, counts[2] != 0 ? parts[2][i] : i, input->rank, &axis));
        if (named[axis]) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "an axis is named twice");
        }
        named[axis] = true;
        HIL_TRY(read_range(op, parts[0][i], parts[1][i], counts[3] != 0 ? parts[3][i] : 1,
                           input->dims[axis], &ranges[axis]));
    }
    uint32_t strides[HIL_MAX_RANK];
    hil_walk_strides(input->rank, input->dims, strides);
    walk->rank = input->rank;
    for (uint32_t i = 0; i < input->rank; i++) {
        walk->dims[i] = (uint32_t)ranges[i].count;
        walk->steps[i] = walk->dims[i] == 1 ? 0 : (int32_t)(ranges[i].step * strides[i]);
        walk->start += (uint32_t)ranges[i].first * strides[i];
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

const hil_op_t hil_op_slice = {.type = "Slice", .prepare = prepare, .eval = eval};
