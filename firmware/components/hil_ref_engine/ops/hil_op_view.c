/*
 * Identity, Flatten, Reshape, Squeeze, Unsqueeze: other shape, same bytes.
 *
 * The output shares the input's memory where the input is not a constant. Source: ESP-DL 12c0616
 * dl_module_flatten.hpp, dl_module_reshape.hpp, dl_module_squeeze.hpp, dl_module_unsqueeze.hpp.
 */
#include <string.h>

#include "hil_op.h"

static hil_status_t finish(hil_op_context_t *op, uint32_t rank, const uint32_t *dims)
{
    HIL_TRY(hil_op_set_shape(op, 0, rank, dims));
    return hil_op_alias(op);
}

static hil_status_t prepare_identity(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    return finish(op, input->rank, input->dims);
}

static hil_status_t prepare_flatten(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t axis = hil_op_int(op, "axis", 1);
    if (axis < 0) {
        axis += input->rank;
    }
    if (axis < 0 || axis > (int64_t)input->rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "axis");
    }
    uint32_t dims[2] = {hil_dims_product(input->dims, 0, (uint32_t)axis),
                        hil_dims_product(input->dims, (uint32_t)axis, input->rank)};
    return finish(op, 2, dims);
}

static hil_status_t prepare_reshape(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t shape[HIL_MAX_RANK];
    uint32_t dims[HIL_MAX_RANK];
    uint32_t rank;
    uint32_t open = HIL_MAX_RANK; /* the dimension written as -1 */
    uint64_t known = 1;
    HIL_TRY(hil_op_int_parameter(op, 1, HIL_MAX_RANK, &rank, shape));
    bool keep_zero = hil_op_int(op, "allowzero", 0) != 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] == -1 && open == HIL_MAX_RANK) {
            open = i;
            dims[i] = 1;
            continue;
        }
        if (shape[i] == 0 && !keep_zero && i < input->rank) {
            shape[i] = input->dims[i];
        }
        if (shape[i] < 1 || shape[i] > (int64_t)input->count) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "shape to reshape to");
        }
        dims[i] = (uint32_t)shape[i];
        known *= dims[i];
        if (known > input->count) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "shape to reshape to");
        }
    }
    if (open != HIL_MAX_RANK) {
        dims[open] = input->count / (uint32_t)known;
    }
    return finish(op, rank, dims);
}

/* Marks the axes that input 1 names, of `rank` ones. */
static hil_status_t read_axes(hil_op_context_t *op, uint32_t rank, bool *marked, uint32_t *count)
{
    int64_t axes[HIL_MAX_RANK];
    memset(marked, 0, HIL_MAX_RANK * sizeof *marked);
    HIL_TRY(hil_op_int_parameter(op, 1, HIL_MAX_RANK, count, axes));
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t axis;
        HIL_TRY(hil_op_axis(op, axes[i], rank, &axis));
        if (marked[axis]) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "an axis is named twice");
        }
        marked[axis] = true;
    }
    return HIL_OK;
}

static hil_status_t prepare_squeeze(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    bool marked[HIL_MAX_RANK];
    bool all = hil_op_input(op, 1) == NULL;
    uint32_t count;
    if (!all) {
        HIL_TRY(read_axes(op, input->rank, marked, &count));
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
    return finish(op, rank, dims);
}

static hil_status_t prepare_unsqueeze(hil_op_context_t *op)
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
    HIL_TRY(read_axes(op, rank, marked, &count));
    uint32_t dims[HIL_MAX_RANK];
    uint32_t next = 0;
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = marked[i] ? 1 : input->dims[next++];
    }
    return finish(op, rank, dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *input = hil_op_input(op, 0);
    void *result = hil_op_output_data(op, 0);
    if (result != input->data) {
        memcpy(result, input->data, input->size_bytes);
    }
    return HIL_OK;
}

const hil_op_t hil_op_identity = {.type = "Identity", .prepare = prepare_identity, .eval = eval};
const hil_op_t hil_op_flatten = {.type = "Flatten", .prepare = prepare_flatten, .eval = eval};
const hil_op_t hil_op_reshape = {.type = "Reshape", .prepare = prepare_reshape, .eval = eval};
const hil_op_t hil_op_squeeze = {.type = "Squeeze", .prepare = prepare_squeeze, .eval = eval};
const hil_op_t hil_op_unsqueeze = {.type = "Unsqueeze", .prepare = prepare_unsqueeze, .eval = eval};
