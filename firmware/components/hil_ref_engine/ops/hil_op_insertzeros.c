/*
 * InsertZeros: zeros between the samples of [N, H, W, C] or [N, W, C], and after them.
 *
 * The first half of an exported ConvTranspose. Source: ESP-DL 12c0616 dl_module_insert_zeros.hpp.
 */
#include <string.h>

#include "hil_op.h"

typedef struct {
    uint32_t stride[2]; /* height, width; height 1 where the value has none */
} insert_t;

/* `stride` and `output_padding` name every spatial dimension, or one for all. */
static hil_status_t read_spatial(hil_op_context_t *op, const char *name, uint32_t spatial,
                                 int64_t low, int64_t *values)
{
    int64_t list[HIL_MAX_RANK];
    uint32_t count;
    HIL_TRY(hil_op_int_list(op, name, &count, list));
    if (count > 1 && count != spatial) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "stride or output_padding");
    }
    for (uint32_t i = 0; i < spatial; i++) {
        values[i] = count == 0 ? low : list[count == 1 ? 0 : i];
        if (values[i] < low || values[i] > 0xffff) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "stride or output_padding");
        }
    }
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    if (input->rank != 3 && input->rank != 4) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "rank other than 3 or 4");
    }
    insert_t *insert = hil_op_alloc(op, sizeof *insert);
    if (insert == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = insert;
    uint32_t spatial = input->rank - 2;
    int64_t stride[2] = {1, 1};
    int64_t padding[2] = {0, 0};
    HIL_TRY(read_spatial(op, "stride", spatial, 1, stride));
    HIL_TRY(read_spatial(op, "output_padding", spatial, 0, padding));
    uint32_t dims[HIL_MAX_RANK];
    memcpy(dims, input->dims, sizeof dims);
    insert->stride[0] = 1;
    for (uint32_t i = 0; i < spatial; i++) {
        int64_t size = (int64_t)(input->dims[1 + i] - 1) * stride[i] + 1 + padding[i];
        if (size > INT32_MAX) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "dimension of an output");
        }
        dims[1 + i] = (uint32_t)size;
        insert->stride[2 - spatial + i] = (uint32_t)stride[i];
    }
    return hil_op_set_shape(op, 0, input->rank, dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const insert_t *insert = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    bool flat = input->rank == 3;
    uint32_t height = flat ? 1 : input->dims[1];
    uint32_t width = input->dims[input->rank - 2];
    uint32_t output_height = flat ? 1 : output->dims[1];
    uint32_t output_width = output->dims[output->rank - 2];
    size_t sample = (size_t)input->dims[input->rank - 1] * hil_dtype_size(input->dtype);
    const uint8_t *from = input->data;
    uint8_t *to = hil_op_output_data(op, 0);
    memset(to, 0, output->size_bytes);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (uint32_t y = 0; y < height; y++) {
            for (uint32_t x = 0; x < width; x++, from += sample) {
                size_t row = (size_t)n * output_height + y * insert->stride[0];
                memcpy(to + (row * output_width + x * insert->stride[1]) * sample, from, sample);
            }
        }
    }
    return HIL_OK;
}

const hil_op_t hil_op_insertzeros = {.type = "InsertZeros", .prepare = prepare, .eval = eval};
