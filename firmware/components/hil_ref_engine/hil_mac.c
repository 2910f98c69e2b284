/* Multiply-accumulate over one image, for all kernel families. */
#include "hil_mac.h"

#include <string.h>

#include "hil_filter.h"
#include "hil_lanes.h"

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

/* Channels whose accumulator is a vector lane; the others sum in the scalar one. */
static uint32_t lane_channels(const hil_mac_t *mac)
{
    return mac->depthwise ? mac->output_channels
                          : hil_filter_blocked(mac->output_channels, mac->lanes);
}

/* What the accumulator of one channel holds after loading this bias. */
static int64_t loaded_bias(const hil_mac_t *mac, uint32_t channel, int64_t bias)
{
    bool in_lane = channel < lane_channels(mac);
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

/* The shift that the register makes of `shift`: its field is 5 or 6 bits wide. */
static int32_t register_shift(const hil_mac_t *mac, int32_t shift, bool in_lane)
{
    int32_t field = mac->dtype == HIL_INT8 && in_lane ? 31 : 63;
    switch (mac->kernels) {
    case HIL_KERNELS_S3:
        /* Half up is made as: shift by one less, add one, shift by one. */
        return shift == 0 ? 0 : ((shift - 1) & field) + 1;
    case HIL_KERNELS_P4:
        return shift & field;
    case HIL_KERNELS_C:
        break;
    }
    return shift;
}

static hil_status_t check_shift(hil_op_context_t *op, int32_t shift)
{
    if (shift < 0 && op->kernels != HIL_KERNELS_C) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                 "negative shift: output exponent below input plus filter exponent");
    }
    if (shift > 63) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "shift above 63 bits");
    }
    return HIL_OK;
}

static hil_status_t prepare_shifts(hil_op_context_t *op, hil_mac_t *mac, const hil_value_t *filter)
{
    int32_t base = hil_op_output(op, 0)->exponent - hil_op_input(op, 0)->exponent;
    if (filter->exponents.count <= 1) {
        int32_t shift = base - filter->exponent;
        HIL_TRY(check_shift(op, shift));
        mac->shift = register_shift(mac, shift, true);
        mac->tail_shift = register_shift(mac, shift, false);
        return HIL_OK;
    }
    if (op->kernels != HIL_KERNELS_P4) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "per-channel weights: only esp32p4 and esp32s31");
    }
    uint8_t *shifts = hil_op_alloc(op, mac->output_channels);
    if (shifts == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for shifts");
    }
    for (uint32_t n = 0; n < mac->output_channels; n++) {
        int32_t exponent;
        HIL_TRY(hil_op_exponent(op, filter, n, &exponent));
        HIL_TRY(check_shift(op, base - exponent));
        shifts[n] = (uint8_t)register_shift(mac, base - exponent, n < lane_channels(mac));
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
    for (uint32_t n = 0; mac->bias != NULL && n < lane_channels(mac); n++) {
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

/* --- running ---------------------------------------------------------------------------------- */

/* Taps of the filter that fall on the image, along one axis, and the input of the first of them. */
typedef struct {
    uint32_t first;
    uint32_t end;
    uint32_t input;
} taps_t;

static taps_t taps_at(const hil_mac_axis_t *axis, uint32_t output)
{
    int64_t origin = (int64_t)output * axis->stride - axis->pad_begin;
    taps_t taps = {0, axis->kernel, 0};
    while (taps.first < taps.end && origin + (int64_t)taps.first * axis->dilation < 0) {
        taps.first++;
    }
    while (taps.end > taps.first &&
           origin + (int64_t)(taps.end - 1) * axis->dilation >= (int64_t)axis->input) {
        taps.end--;
    }
    if (taps.first < taps.end) {
        taps.input = (uint32_t)(origin + (int64_t)taps.first * axis->dilation);
    }
    return taps;
}

static int64_t bias_of(const hil_mac_t *mac, uint32_t channel)
{
    return mac->bias == NULL ? 0 : mac->bias[channel];
}

static int64_t shifted(const hil_mac_t *mac, int64_t sum, int32_t shift)
{
    if (shift >= 0) {
        return hil_shift_round(sum, (uint32_t)shift, mac->rounding);
    }
    /* c family: a saturating shift left. Beyond 2^16 every bit shifted in only saturates more. */
    int64_t bounded = hil_clamp_s64(sum, -((int64_t)1 << 16), (int64_t)1 << 16);
    uint32_t left = shift < -32 ? 32 : (uint32_t)-shift;
    return bounded * ((int64_t)1 << left);
}

/* Accumulator to output element: shift, saturate, ReLU. */
static void finish(const hil_mac_t *mac, uint32_t channel, int64_t sum, void *output,
                   uint32_t index)
{
    int32_t shift = mac->shifts != NULL            ? mac->shifts[channel]
                    : channel < lane_channels(mac) ? mac->shift
                                                   : mac->tail_shift;
    int64_t value =
        hil_clamp_s64(shifted(mac, sum, shift), hil_int_min(mac->dtype), hil_int_max(mac->dtype));
    if (mac->relu && value < 0) {
        value = 0;
    }
    hil_store_int(output, mac->dtype, index, (int32_t)value);
}

/* One unit of work: an output position and a group of channels starting at `channel`. */
typedef struct {
    const hil_mac_t *mac;
    const void *input;
    const void *filter;
    void *output;
    hil_filter_t weights;
    uint32_t channel;
    uint32_t count; /* channels of the group */
} group_t;

typedef void (*pixel_t)(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index);

static uint32_t input_at(const hil_mac_t *mac, taps_t ty, taps_t tx, uint32_t y, uint32_t x)
{
    uint32_t row = ty.input + (y - ty.first) * mac->y.dilation;
    uint32_t column = tx.input + (x - tx.first) * mac->x.dilation;
    return (row * mac->x.input + column) * mac->input_channels;
}

static uint32_t weight_at(const group_t *group, uint32_t y, uint32_t x)
{
    return group->weights.first + (y * group->mac->x.kernel + x) * group->weights.tap_stride;
}

static void pixel_lanes_s8(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    hil_mac_lanes_s8_t accumulate = mac->exact                       ? hil_mac_lanes_s8_exact
                                    : mac->kernels == HIL_KERNELS_S3 ? hil_mac_lanes_s8_20bit
                                                                     : hil_mac_lanes_s8_32bit;
    int32_t lanes[HIL_LANES_S8];
    for (uint32_t l = 0; l < HIL_LANES_S8; l++) {
        lanes[l] = (int32_t)bias_of(mac, group->channel + l);
    }
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            accumulate(lanes, (const int8_t *)group->input + input_at(mac, ty, tx, y, x),
                       (const int8_t *)group->filter + weight_at(group, y, x), mac->input_channels);
        }
    }
    for (uint32_t l = 0; l < HIL_LANES_S8; l++) {
        finish(mac, group->channel + l, lanes[l], group->output, output_index + l);
    }
}

static void pixel_lanes_s16(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    hil_mac_lanes_s16_t accumulate = mac->exact                       ? hil_mac_lanes_s16_exact
                                     : mac->kernels == HIL_KERNELS_S3 ? hil_mac_lanes_s16_40bit
                                                                      : hil_mac_lanes_s16_64bit;
    int64_t lanes[HIL_LANES_S16];
    for (uint32_t l = 0; l < HIL_LANES_S16; l++) {
        lanes[l] = bias_of(mac, group->channel + l);
    }
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            accumulate(lanes, (const int16_t *)group->input + input_at(mac, ty, tx, y, x),
                       (const int16_t *)group->filter + weight_at(group, y, x),
                       mac->input_channels);
        }
    }
    for (uint32_t l = 0; l < HIL_LANES_S16; l++) {
        finish(mac, group->channel + l, lanes[l], group->output, output_index + l);
    }
}

static void pixel_scalar(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    int64_t sum = bias_of(mac, group->channel);
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            uint32_t from = input_at(mac, ty, tx, y, x);
            uint32_t weight = weight_at(group, y, x);
            sum = mac->dtype == HIL_INT8
                      ? hil_mac_scalar_s8_40bit(sum, (const int8_t *)group->input + from,
                                                (const int8_t *)group->filter + weight,
                                                mac->input_channels)
                      : hil_mac_scalar_s16_40bit(sum, (const int16_t *)group->input + from,
                                                 (const int16_t *)group->filter + weight,
                                                 mac->input_channels);
        }
    }
    finish(mac, group->channel, sum, group->output, output_index);
}

static void pixel_wrap(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    uint32_t sum32 = (uint32_t)bias_of(mac, group->channel);
    uint64_t sum64 = (uint64_t)bias_of(mac, group->channel);
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            uint32_t from = input_at(mac, ty, tx, y, x);
            uint32_t weight = weight_at(group, y, x);
            if (mac->dtype == HIL_INT8) {
                sum32 =
                    hil_mac_wrap_s8(sum32, (const int8_t *)group->input + from,
                                    (const int8_t *)group->filter + weight, mac->input_channels);
            } else {
                sum64 =
                    hil_mac_wrap_s16(sum64, (const int16_t *)group->input + from,
                                     (const int16_t *)group->filter + weight, mac->input_channels);
            }
        }
    }
    int64_t sum = mac->dtype == HIL_INT8 ? (int32_t)sum32 : (int64_t)sum64;
    finish(mac, group->channel, sum, group->output, output_index);
}

static void pixel_depthwise_s8(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    hil_mac_each_s8_t accumulate = mac->exact                       ? hil_mac_each_s8_exact
                                   : mac->kernels == HIL_KERNELS_S3 ? hil_mac_each_s8_20bit
                                                                    : hil_mac_each_s8_32bit;
    int32_t lanes[HIL_LANES_S8];
    for (uint32_t l = 0; l < group->count; l++) {
        lanes[l] = (int32_t)bias_of(mac, group->channel + l);
    }
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            uint32_t from = input_at(mac, ty, tx, y, x) + group->channel;
            accumulate(lanes, (const int8_t *)group->input + from,
                       (const int8_t *)group->filter + weight_at(group, y, x), group->count);
        }
    }
    for (uint32_t l = 0; l < group->count; l++) {
        finish(mac, group->channel + l, lanes[l], group->output, output_index + l);
    }
}

static void pixel_depthwise_s16(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    hil_mac_each_s16_t accumulate = mac->exact                       ? hil_mac_each_s16_exact
                                    : mac->kernels == HIL_KERNELS_S3 ? hil_mac_each_s16_40bit
                                                                     : hil_mac_each_s16_64bit;
    int64_t lanes[HIL_LANES_S16];
    for (uint32_t l = 0; l < group->count; l++) {
        lanes[l] = bias_of(mac, group->channel + l);
    }
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            uint32_t from = input_at(mac, ty, tx, y, x) + group->channel;
            accumulate(lanes, (const int16_t *)group->input + from,
                       (const int16_t *)group->filter + weight_at(group, y, x), group->count);
        }
    }
    for (uint32_t l = 0; l < group->count; l++) {
        finish(mac, group->channel + l, lanes[l], group->output, output_index + l);
    }
}

static void pixel_depthwise_wrap(const group_t *group, taps_t ty, taps_t tx, uint32_t output_index)
{
    const hil_mac_t *mac = group->mac;
    uint32_t sum32 = (uint32_t)bias_of(mac, group->channel);
    uint64_t sum64 = (uint64_t)bias_of(mac, group->channel);
    for (uint32_t y = ty.first; y < ty.end; y++) {
        for (uint32_t x = tx.first; x < tx.end; x++) {
            uint32_t from = input_at(mac, ty, tx, y, x) + group->channel;
            uint32_t weight = weight_at(group, y, x);
            if (mac->dtype == HIL_INT8) {
                sum32 = hil_mac_wrap_s8(sum32, (const int8_t *)group->input + from,
                                        (const int8_t *)group->filter + weight, 1);
            } else {
                sum64 = hil_mac_wrap_s16(sum64, (const int16_t *)group->input + from,
                                         (const int16_t *)group->filter + weight, 1);
            }
        }
    }
    int64_t sum = mac->dtype == HIL_INT8 ? (int32_t)sum32 : (int64_t)sum64;
    finish(mac, group->channel, sum, group->output, output_index);
}

static pixel_t choose_pixel(const hil_mac_t *mac, uint32_t channel)
{
    if (mac->kernels == HIL_KERNELS_C) {
        return mac->depthwise ? pixel_depthwise_wrap : pixel_wrap;
    }
    if (mac->depthwise) {
        return mac->dtype == HIL_INT8 ? pixel_depthwise_s8 : pixel_depthwise_s16;
    }
    if (channel >= lane_channels(mac)) {
        return pixel_scalar;
    }
    return mac->dtype == HIL_INT8 ? pixel_lanes_s8 : pixel_lanes_s16;
}

/* Channels that are computed together from `channel` on. */
static uint32_t group_size(const hil_mac_t *mac, uint32_t channel)
{
    uint32_t rest = mac->output_channels - channel;
    if (!mac->depthwise && channel >= lane_channels(mac)) {
        return 1;
    }
    return rest < mac->lanes ? rest : mac->lanes;
}

void hil_mac_run(const hil_mac_t *mac, const void *input, const void *filter, void *output)
{
    group_t group = {.mac = mac, .input = input, .filter = filter, .output = output};
    /* Channels outermost: one block of the filter stays near while the image passes. */
    for (uint32_t channel = 0; channel < mac->output_channels; channel += group.count) {
        group.channel = channel;
        group.count = group_size(mac, channel);
        group.weights = hil_filter_locate(mac, channel);
        pixel_t pixel = choose_pixel(mac, channel);
        for (uint32_t y = 0; y < mac->y.output; y++) {
            taps_t ty = taps_at(&mac->y, y);
            for (uint32_t x = 0; x < mac->x.output; x++) {
                uint32_t index = (y * mac->x.output + x) * mac->output_channels + channel;
                pixel(&group, ty, taps_at(&mac->x, x), index);
            }
        }
    }
}
