/* Multiply-accumulate over one image, for all kernel families. */
#include "hil_filter.h"
#include "hil_lanes.h"

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
    int32_t shift = mac->shifts != NULL ? mac->shifts[channel] : mac->shift;
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
    if (channel >= hil_mac_lane_channels(mac)) {
        return pixel_scalar;
    }
    return mac->dtype == HIL_INT8 ? pixel_lanes_s8 : pixel_lanes_s16;
}

/* Channels that are computed together from `channel` on. */
static uint32_t group_size(const hil_mac_t *mac, uint32_t channel)
{
    uint32_t rest = mac->output_channels - channel;
    if (!mac->depthwise && channel >= hil_mac_lane_channels(mac)) {
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
