/*
 * Pad: constant, edge, reflect. The constant is a raw integer at the input's exponent.
 *
 * Source: ESP-DL 12c0616 dl_module_pad.hpp, dl_tensor_base.cpp `pad`.
 */
#include <string.h>

#include "hil_walk.h"

typedef enum { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT } pad_mode_t;

typedef struct {
    pad_mode_t mode;
    uint32_t begin[HIL_MAX_RANK];
    uint32_t strides[HIL_MAX_RANK]; /* of the input */
} pad_t;

static hil_status_t read_mode(hil_op_context_t *op, pad_t *pad)
{
    hil_name_t mode = hil_op_string(op, "mode", "");
    if (hil_name_is(mode, "constant")) {
        pad->mode = PAD_CONSTANT;
    } else if (hil_name_is(mode, "edge")) {
        pad->mode = PAD_EDGE;
    } else if (hil_name_is(mode, "reflect")) {
        pad->mode = PAD_REFLECT;
    } else {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "pad mode other than constant, edge, reflect");
    }
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 4, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *constant = hil_op_input(op, 2);
    if (constant != NULL && (constant->dtype != input->dtype || constant->count == 0)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the constant is not of the input's type");
    }
    if (hil_op_input(op, 3) != NULL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "pads for some axes only");
    }
    pad_t *pad = hil_op_alloc(op, sizeof *pad);
    if (pad == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = pad;
    HIL_TRY(read_mode(op, pad));
    int64_t pads[2 * HIL_MAX_RANK];
    uint32_t count;
    HIL_TRY(hil_op_int_parameter(op, 1, 2 * HIL_MAX_RANK, &count, pads));
    if (count != 2 * input->rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "number of pads");
    }
    if (pad->mode != PAD_CONSTANT &&
        (input->rank > 5 || (input->rank == 5 && (pads[0] != 0 || pads[5] != 0)))) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "edge or reflect over more than 4 dimensions");
    }
    uint32_t dims[HIL_MAX_RANK];
    for (uint32_t i = 0; i < input->rank; i++) {
        int64_t begin = pads[i];
        int64_t end = pads[input->rank + i];
        int64_t most = pad->mode == PAD_REFLECT ? (int64_t)input->dims[i] - 1 : 0xffffff;
        if (begin < 0 || end < 0 || begin > most || end > most) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "pads are negative or too large");
        }
        pad->begin[i] = (uint32_t)begin;
        dims[i] = input->dims[i] + (uint32_t)begin + (uint32_t)end;
    }
    hil_walk_strides(input->rank, input->dims, pad->strides);
    return hil_op_set_shape(op, 0, input->rank, dims);
}

/* The input coordinate that an output coordinate shows; negative where it is the constant. */
static int64_t source(const pad_t *pad, uint32_t output, uint32_t begin, uint32_t size)
{
    int64_t at = (int64_t)output - begin;
    if (at >= 0 && at < (int64_t)size) {
        return at;
    }
    if (pad->mode == PAD_CONSTANT) {
        return -1;
    }
    if (pad->mode == PAD_EDGE) {
        return at < 0 ? 0 : (int64_t)size - 1;
    }
    return at < 0 ? -at : 2 * ((int64_t)size - 1) - at;
}

static hil_status_t eval(hil_op_context_t *op)
{
    static const uint8_t zero[8] = {0};
    const pad_t *pad = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *constant = hil_op_input(op, 2);
    const hil_value_t *output = hil_op_output(op, 0);
    uint32_t size = hil_dtype_size(input->dtype);
    const uint8_t *fill = constant == NULL ? zero : constant->data;
    uint8_t *to = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < output->count; i++, to += size) {
        size_t from = 0;
        bool inside = true;
        uint32_t rest = i;
        for (uint32_t d = input->rank; d-- > 0; rest /= output->dims[d]) {
            int64_t at = source(pad, rest % output->dims[d], pad->begin[d], input->dims[d]);
            inside = inside && at >= 0;
            from += inside ? (size_t)at * pad->strides[d] : 0;
        }
        memcpy(to, inside ? (const uint8_t *)input->data + from * size : fill, size);
    }
    return HIL_OK;
}

const hil_op_t hil_op_pad = {.type = "Pad", .prepare = prepare, .eval = eval};
