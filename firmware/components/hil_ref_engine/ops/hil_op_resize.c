/*
 * Resize of [1, H, W, C] or [1, W, C], int8: nearest (asymmetric, floor) and linear (half pixel, or
 * align_corners). `scales` and `sizes` stand in NCHW order.
 *
 * Source: ESP-DL 12c0616 dl_module_resize.hpp, dl_base_resize.cpp, isa/tie728 and isa/esp32p4
 * *_resize.S.
 */
#include "hil_op.h"

typedef struct {
    uint32_t input;
    uint32_t output;
    float inverse; /* input steps per output step */
} resize_axis_t;

typedef struct {
    bool linear;
    bool align_corners;
    resize_axis_t y;
    resize_axis_t x;
    uint32_t channels;
} resize_t;

static hil_status_t read_axis(hil_op_context_t *op, const resize_t *resize, uint32_t nchw,
                              uint32_t rank, uint32_t input, resize_axis_t *axis)
{
    const hil_value_t *scales = hil_op_input(op, 2);
    const hil_value_t *sizes = hil_op_input(op, 3);
    float scale;
    axis->input = input;
    if (sizes != NULL && sizes->count != 0) {
        if (sizes->kind != HIL_VALUE_PARAMETER || sizes->dtype != HIL_INT64 ||
            sizes->count != rank) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "sizes are not an int64 constant of the full rank");
        }
        int64_t size = ((const int64_t *)sizes->data)[nchw];
        if (size < 1 || size > 0xffff) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "sizes");
        }
        axis->output = (uint32_t)size;
        scale = (float)axis->output / (float)input;
    } else {
        if (scales == NULL || scales->kind != HIL_VALUE_PARAMETER || scales->dtype != HIL_FLOAT ||
            scales->count != rank) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "scales are not a float constant of the full rank");
        }
        scale = ((const float *)scales->data)[nchw];
        if (!(scale > 0.0f) || (float)input * scale < 1.0f || (float)input * scale > 65535.0f) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "scales");
        }
        axis->output = (uint32_t)((float)input * scale);
    }
    if (resize->linear && input == 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "linear along a dimension of 1: ESP-DL reads before the tensor");
    }
    if (resize->linear && resize->align_corners) {
        if (axis->output == 1) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "align_corners to a dimension of 1");
        }
        scale = (float)(axis->output - 1) / (float)(input - 1);
    }
    axis->inverse = 1.0f / scale;
    return HIL_OK;
}

static hil_status_t check_kernel(hil_op_context_t *op, const resize_t *resize)
{
    int32_t shift = hil_op_output(op, 0)->exponent - hil_op_input(op, 0)->exponent;
    bool twice = resize->y.inverse == 0.5f && resize->x.inverse == 0.5f;
    if (resize->linear || op->kernels == HIL_KERNELS_C) {
        return HIL_OK;
    }
    if (resize->channels < 16 && !twice) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "nearest with fewer than 16 channels and scales other than 2x2: the vector kernel "
                 "uses registers that it never loaded");
    }
    if (op->kernels == HIL_KERNELS_P4 && shift > 0) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "nearest to a larger exponent: the rounding on esp32p4 is left over from before");
    }
    if (shift < -6 || shift > 31) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "exponents too far apart");
    }
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 4, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    if (input->dtype != HIL_INT8) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element type: ESP-DL resizes int8 only");
    }
    if ((input->rank != 3 && input->rank != 4) || input->dims[0] != 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "rank other than 3 or 4, or a batch");
    }
    resize_t *resize = hil_op_alloc(op, sizeof *resize);
    if (resize == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = resize;
    hil_name_t mode = hil_op_string(op, "mode", "nearest");
    resize->linear = hil_name_is(mode, "linear");
    if (!resize->linear && !hil_name_is(mode, "nearest")) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "mode other than nearest and linear");
    }
    resize->align_corners =
        hil_name_is(hil_op_string(op, "coordinate_transformation_mode", ""), "align_corners");
    resize->channels = input->dims[input->rank - 1];
    resize->y = (resize_axis_t){1, 1, 1.0f};
    bool flat = input->rank == 3;
    if (flat) {
        HIL_TRY(read_axis(op, resize, 2, 3, input->dims[1], &resize->x));
    } else {
        HIL_TRY(read_axis(op, resize, 2, 4, input->dims[1], &resize->y));
        HIL_TRY(read_axis(op, resize, 3, 4, input->dims[2], &resize->x));
    }
    HIL_TRY(check_kernel(op, resize));
    uint32_t dims_2d[4] = {1, resize->y.output, resize->x.output, resize->channels};
    uint32_t dims_1d[3] = {1, resize->x.output, resize->channels};
    return hil_op_set_shape(op, 0, input->rank, flat ? dims_1d : dims_2d);
}

/* --- nearest ---------------------------------------------------------------------------------- */

static uint32_t nearest(const resize_axis_t *axis, uint32_t output)
{
    uint32_t at = (uint32_t)((float)output * axis->inverse);
    return at < axis->input ? at : axis->input - 1;
}

static int8_t rescale(const hil_op_context_t *op, int8_t q, int32_t shift)
{
    int64_t value = shift >= 0
                        ? hil_shift_round(q, (uint32_t)(shift > 63 ? 63 : shift), op->rounding)
                        : (int64_t)q * ((int64_t)1 << (shift < -31 ? 31 : -shift));
    /* The C kernel stores the low byte, the vector kernels saturate. */
    if (op->kernels == HIL_KERNELS_C) {
        return (int8_t)hil_wrap_bits(value, 8);
    }
    return hil_saturate_s8(value);
}

static void eval_nearest(hil_op_context_t *op, const resize_t *resize)
{
    const int8_t *from = hil_op_input(op, 0)->data;
    int8_t *to = hil_op_output_data(op, 0);
    int32_t shift = hil_op_output(op, 0)->exponent - hil_op_input(op, 0)->exponent;
    for (uint32_t y = 0; y < resize->y.output; y++) {
        uint32_t row = nearest(&resize->y, y) * resize->x.input;
        for (uint32_t x = 0; x < resize->x.output; x++) {
            const int8_t *pixel = from + (row + nearest(&resize->x, x)) * resize->channels;
            for (uint32_t c = 0; c < resize->channels; c++) {
                *to++ = rescale(op, pixel[c], shift);
            }
        }
    }
}

/* --- linear ----------------------------------------------------------------------------------- */

/* Two neighbours and their weights. */
typedef struct {
    uint32_t low;
    uint32_t high;
    float low_weight;
    float high_weight;
} blend_t;

static blend_t blend_at(const resize_t *resize, const resize_axis_t *axis, uint32_t output)
{
    float at = resize->align_corners ? (float)output * axis->inverse
                                     : ((float)output + 0.5f) * axis->inverse - 0.5f;
    int32_t low = (int32_t)floorf(at);
    float fraction = at - (float)low;
    if (low < 0) {
        low = 0;
        fraction = 0.0f;
    }
    if (low >= (int32_t)axis->input - 1) {
        low = (int32_t)axis->input - 2;
        fraction = 1.0f;
    }
    /* The one row of a value without height has no neighbour. */
    blend_t blend = {low < 0 ? 0 : (uint32_t)low, (uint32_t)(low + 1), 1.0f - fraction, fraction};
    return blend;
}

/* Horizontal blend of one row at one column and channel, in real numbers. */
static float blend_row(const int8_t *row, const blend_t *x, uint32_t channels, uint32_t c,
                       float scale)
{
    float low = (float)row[x->low * channels + c] * scale;
    float high = (float)row[x->high * channels + c] * scale;
    return low * x->low_weight + high * x->high_weight;
}

static void eval_linear(hil_op_context_t *op, const resize_t *resize)
{
    const hil_value_t *input = hil_op_input(op, 0);
    const int8_t *from = input->data;
    int8_t *to = hil_op_output_data(op, 0);
    float scale = hil_exp2f(input->exponent);
    float inverse = hil_exp2f(-hil_op_output(op, 0)->exponent);
    uint32_t row_size = resize->x.input * resize->channels;
    for (uint32_t oy = 0; oy < resize->y.output; oy++) {
        blend_t y = blend_at(resize, &resize->y, oy);
        const int8_t *low = from + y.low * row_size;
        const int8_t *high = from + y.high * row_size;
        for (uint32_t ox = 0; ox < resize->x.output; ox++) {
            blend_t x = blend_at(resize, &resize->x, ox);
            for (uint32_t c = 0; c < resize->channels; c++) {
                float value = blend_row(low, &x, resize->channels, c, scale);
                if (input->rank == 4) {
                    value = value * y.low_weight +
                            blend_row(high, &x, resize->channels, c, scale) * y.high_weight;
                }
                *to++ = (int8_t)hil_quantize(value * inverse, HIL_INT8, op->rounding);
            }
        }
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    const resize_t *resize = op->node->data;
    if (resize->linear) {
        eval_linear(op, resize);
    } else {
        eval_nearest(op, resize);
    }
    return HIL_OK;
}

const hil_op_t hil_op_resize = {.type = "Resize", .prepare = prepare, .eval = eval};
