/* Multiply-accumulate, while preparing: accumulators, bias and shifts as the family has them. */
#include "hil_mac.h"

#include <string.h>

#include "hil_filter.h"
#include "hil_lanes.h"

#define LARGEST_SHIFT 63

/* --- preparing -------------------------------------------------------------------------------- */

hil_status_t hil_mac_output_size(hil_op_context_t *op, hil_mac_axis_t *axis)
{
    uint64_t reach = (uint64_t)axis->dilation * (axis->kernel - 1) + 1;
    uint64_t padded = (uint64_t)axis->input + axis->pad_begin + axis->pad_end;
    if (reach > padded) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "kernel is larger than the padded input");
    }
    if (axis->stride > 1 && (uint64_t)axis->input + axis->pad_begin < reach) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "stride over an input smaller than the kernel: ESP-DL reads past the tensor");
    }
    axis->output = (uint32_t)((padded - reach) / axis->stride) + 1;
    for (uint32_t o = 0; axis->dilation > 1 && o < axis->output; o++) {
        int64_t first = (int64_t)o * axis->stride - axis->pad_begin;
        bool any = false;
        for (uint32_t k = 0; k < axis->kernel && !any; k++) {
            int64_t at = first + (int64_t)k * axis->dilation;
            any = at >= 0 && at < (int64_t)axis->input;
        }
        if (!any) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                     "dilated window without any valid tap: ESP-DL's result is undefined");
        }
    }
    return HIL_OK;
}

/* What the accumulator of one channel holds after loading this bias. */
static int64_t loaded_bias(const hil_mac_t *mac, uint32_t channel, int64_t bias)
{
    bool in_lane = channel < hil_mac_lane_channels(mac);
    if (mac->kernels == HIL_KERNELS_S3) {
        return hil_wrap_bits(bias, mac->dtype == HIL_INT8 && in_lane ? 20 : 40);
    }
    if (mac->kernels == HIL_KERNELS_P4 && mac->dtype == HIL_INT16 && !in_lane) {
        return hil_wrap_bits(bias, 40);
    }
    return bias;
}

static hil_status_t prepare_bias(hil_op_context_t *op, hil_mac_t *mac, const hil_value_t *bias)
{
    if (bias == NULL) {
        return HIL_OK;
    }
    hil_dtype_t dtype = mac->dtype == HIL_INT8 ? HIL_INT32 : HIL_INT64;
    if (bias->kind != HIL_VALUE_PARAMETER) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "bias is not a constant");
    }
    if (bias->dtype != dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "bias is not int32 (int8 layers) or int64 (int16 layers)");
    }
    if (bias->count != mac->output_channels) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "bias and output channels differ in number");
    }
    int64_t *loaded = hil_op_alloc(op, mac->output_channels * sizeof(int64_t));
    if (loaded == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for a bias");
    }
    for (uint32_t n = 0; n < mac->output_channels; n++) {
        int64_t value = dtype == HIL_INT32 ? ((const int32_t *)bias->data)[n]
                                           : ((const int64_t *)bias->data)[n];
        loaded[n] = loaded_bias(mac, n, value);
    }
    mac->bias = loaded;
    return HIL_OK;
}

/* The bits by which channel `n` is really shifted: a lane's register keeps the low 5 bits. */
static int32_t taken_shift(const hil_mac_t *mac, uint32_t n, int32_t shift)
{
    if (mac->dtype != HIL_INT8 || n >= hil_mac_lane_channels(mac) ||
        mac->kernels == HIL_KERNELS_C) {
        return shift;
    }
    /* Half up is made on the S3 as: shift by one less, add one, shift by one. */
    int32_t outside = mac->kernels == HIL_KERNELS_S3 ? 1 : 0;
    return shift < outside ? shift : ((shift - outside) & 31) + outside;
}

static hil_status_t check_shift(hil_op_context_t *op, int32_t shift)
{
    if (shift < 0 && op->kernels != HIL_KERNELS_C) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "negative shift: output exponent below input plus filter exponent");
    }
    if (shift > LARGEST_SHIFT) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "shift by more than 63 bits");
    }
    return HIL_OK;
}

static hil_status_t prepare_shifts(hil_op_context_t *op, hil_mac_t *mac, const hil_value_t *filter)
{
    int32_t base = hil_op_output(op, 0)->exponent - hil_op_input(op, 0)->exponent;
    if (filter->exponents.count <= 1) {
        int32_t shift = base - filter->exponent;
        HIL_TRY(check_shift(op, shift));
        mac->shift = taken_shift(mac, 0, shift);
        if (mac->shift == shift || hil_mac_lane_channels(mac) == mac->output_channels) {
            return HIL_OK;
        }
        /* Lanes and tail shift by different numbers of bits. */
    } else if (op->kernels != HIL_KERNELS_P4) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "per-channel weights: only esp32p4 and esp32s31");
    }
    if (filter->exponents.count > 1 && filter->exponents.count != mac->output_channels) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "exponents of the filter: one, or one per output channel");
    }
    uint8_t *shifts = hil_op_alloc(op, mac->output_channels);
    if (shifts == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for shifts");
    }
    for (uint32_t n = 0; n < mac->output_channels; n++) {
        int32_t exponent = filter->exponent;
        if (filter->exponents.count > 1) {
            HIL_TRY(hil_op_exponent(op, filter, n, &exponent));
        }
        HIL_TRY(check_shift(op, base - exponent));
        shifts[n] = (uint8_t)taken_shift(mac, n, base - exponent);
    }
    mac->shifts = shifts;
    return HIL_OK;
}

/* Whether no order of products can take a lane out of its accumulator. */
static bool prove_exact(const hil_mac_t *mac)
{
    uint64_t products = (uint64_t)mac->y.kernel * mac->x.kernel;
    products *= mac->depthwise ? 1 : mac->input_channels;
    uint64_t largest_product = mac->dtype == HIL_INT8 ? (uint64_t)1 << 14 : (uint64_t)1 << 30;
    uint32_t bits = mac->kernels == HIL_KERNELS_S3 ? (mac->dtype == HIL_INT8 ? 20 : 40)
                                                   : (mac->dtype == HIL_INT8 ? 32 : 64);
    uint64_t limit = ((uint64_t)1 << (bits - 1)) - 1;
    if (products > limit / largest_product) {
        return false;
    }
    uint64_t room = limit - products * largest_product;
    for (uint32_t n = 0; mac->bias != NULL && n < hil_mac_lane_channels(mac); n++) {
        uint64_t magnitude = mac->bias[n] < 0 ? 0 - (uint64_t)mac->bias[n] : (uint64_t)mac->bias[n];
        if (magnitude > room) {
            return false;
        }
    }
    return true;
}

hil_status_t hil_mac_prepare(hil_op_context_t *op, hil_mac_t *mac, const hil_value_t *filter,
                             const hil_value_t *bias)
{
    mac->kernels = op->kernels;
    mac->rounding = op->rounding;
    if (op->kernels == HIL_KERNELS_C) {
        mac->lanes = 1;
    } else {
        mac->lanes = mac->dtype == HIL_INT8 ? HIL_LANES_S8 : HIL_LANES_S16;
    }
    HIL_TRY(prepare_bias(op, mac, bias));
    HIL_TRY(prepare_shifts(op, mac, filter));
    mac->exact = prove_exact(mac);
    return HIL_OK;
}

hil_status_t hil_mac_fused_relu(hil_op_context_t *op, bool *relu)
{
    hil_name_t activation = hil_op_string(op, "activation", "Linear");
    *relu = hil_name_is(activation, "Relu");
    if (!*relu && !hil_name_is(activation, "Linear")) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "fused activation other than Relu");
    }
    return HIL_OK;
}
