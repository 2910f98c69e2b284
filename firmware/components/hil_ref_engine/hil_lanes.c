/* Accumulators: lanes of a vector register and the scalar one. */
#include "hil_lanes.h"

#include "hil_num.h"

#define MAX_20 ((int32_t)0x7ffff)
#define MIN_20 (-MAX_20 - 1)
#define MAX_40 ((int64_t)0x7fffffffff)
#define MIN_40 (-MAX_40 - 1)

/* Steps between two looks at whether a lane could saturate. */
#define STEPS 8u

/* --- int8, lanes ------------------------------------------------------------------------------ */

void hil_mac_lanes_s8_exact(int32_t *restrict lanes, const int8_t *restrict x,
                            const int8_t *restrict w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++, w += HIL_LANES_S8) {
        int32_t value = x[c];
        for (uint32_t l = 0; l < HIL_LANES_S8; l++) {
            lanes[l] += value * w[l];
        }
    }
}

static int32_t largest_magnitude_s32(const int32_t *lanes)
{
    int32_t low = 0;
    int32_t high = 0;
    for (uint32_t l = 0; l < HIL_LANES_S8; l++) {
        low = lanes[l] < low ? lanes[l] : low;
        high = lanes[l] > high ? lanes[l] : high;
    }
    return -low > high ? -low : high;
}

static void lanes_s8_20bit_each_step(int32_t *lanes, const int8_t *x, const int8_t *w,
                                     uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++, w += HIL_LANES_S8) {
        for (uint32_t l = 0; l < HIL_LANES_S8; l++) {
            lanes[l] = hil_clamp_s32(lanes[l] + x[c] * w[l], MIN_20, MAX_20);
        }
    }
}

void hil_mac_lanes_s8_20bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t channels)
{
    /* No product is larger than 2^14: below this magnitude STEPS of them stay within 20 bits. */
    const int32_t safe = MAX_20 - (int32_t)(STEPS << 14);
    while (channels > 0) {
        uint32_t steps = channels < STEPS ? channels : STEPS;
        if (largest_magnitude_s32(lanes) <= safe) {
            hil_mac_lanes_s8_exact(lanes, x, w, steps);
        } else {
            lanes_s8_20bit_each_step(lanes, x, w, steps);
        }
        x += steps;
        w += steps * HIL_LANES_S8;
        channels -= steps;
    }
}

static int32_t add_sat32(int32_t sum, int32_t product)
{
    return (int32_t)hil_clamp_s64((int64_t)sum + product, INT32_MIN, INT32_MAX);
}

void hil_mac_lanes_s8_32bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++, w += HIL_LANES_S8) {
        for (uint32_t l = 0; l < HIL_LANES_S8; l++) {
            lanes[l] = add_sat32(lanes[l], x[c] * w[l]);
        }
    }
}

/* --- int16, lanes ----------------------------------------------------------------------------- */

void hil_mac_lanes_s16_exact(int64_t *restrict lanes, const int16_t *restrict x,
                             const int16_t *restrict w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++, w += HIL_LANES_S16) {
        int32_t value = x[c];
        for (uint32_t l = 0; l < HIL_LANES_S16; l++) {
            lanes[l] += value * w[l];
        }
    }
}

static bool lanes_s16_are_safe(const int64_t *lanes, int64_t safe)
{
    bool all = true;
    for (uint32_t l = 0; l < HIL_LANES_S16; l++) {
        all = all && lanes[l] <= safe && lanes[l] >= -safe;
    }
    return all;
}

static int64_t add_sat40(int64_t sum, int64_t addend)
{
    return hil_clamp_s64(sum + addend, MIN_40, MAX_40);
}

void hil_mac_lanes_s16_40bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t channels)
{
    /* No product is larger than 2^30. */
    const int64_t safe = MAX_40 - ((int64_t)STEPS << 30);
    while (channels > 0) {
        uint32_t steps = channels < STEPS ? channels : STEPS;
        if (lanes_s16_are_safe(lanes, safe)) {
            hil_mac_lanes_s16_exact(lanes, x, w, steps);
        } else {
            for (uint32_t c = 0; c < steps; c++) {
                for (uint32_t l = 0; l < HIL_LANES_S16; l++) {
                    lanes[l] = add_sat40(lanes[l], x[c] * w[c * HIL_LANES_S16 + l]);
                }
            }
        }
        x += steps;
        w += steps * HIL_LANES_S16;
        channels -= steps;
    }
}

static int64_t add_sat64(int64_t sum, int32_t product)
{
    if (product > 0 && sum > INT64_MAX - product) {
        return INT64_MAX;
    }
    if (product < 0 && sum < INT64_MIN - product) {
        return INT64_MIN;
    }
    return sum + product;
}

void hil_mac_lanes_s16_64bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++, w += HIL_LANES_S16) {
        for (uint32_t l = 0; l < HIL_LANES_S16; l++) {
            lanes[l] = add_sat64(lanes[l], x[c] * w[l]);
        }
    }
}

/* --- the scalar accumulator ------------------------------------------------------------------- */

int64_t hil_mac_scalar_s8_40bit(int64_t sum, const int8_t *x, const int8_t *w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c += HIL_LANES_S8) {
        uint32_t end = channels - c < HIL_LANES_S8 ? channels : c + HIL_LANES_S8;
        int32_t products = 0;
        for (uint32_t i = c; i < end; i++) {
            products += x[i] * w[i];
        }
        sum = add_sat40(sum, products);
    }
    return sum;
}

int64_t hil_mac_scalar_s16_40bit(int64_t sum, const int16_t *x, const int16_t *w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c += HIL_LANES_S16) {
        uint32_t end = channels - c < HIL_LANES_S16 ? channels : c + HIL_LANES_S16;
        int64_t products = 0;
        for (uint32_t i = c; i < end; i++) {
            products += x[i] * w[i];
        }
        sum = add_sat40(sum, products);
    }
    return sum;
}

/* --- plain C ---------------------------------------------------------------------------------- */

uint32_t hil_mac_wrap_s8(uint32_t sum, const int8_t *x, const int8_t *w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++) {
        sum += (uint32_t)(x[c] * w[c]);
    }
    return sum;
}

uint64_t hil_mac_wrap_s16(uint64_t sum, const int16_t *x, const int16_t *w, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++) {
        sum += (uint64_t)(int64_t)(x[c] * w[c]);
    }
    return sum;
}

/* --- depthwise -------------------------------------------------------------------------------- */

void hil_mac_each_s8_exact(int32_t *restrict lanes, const int8_t *restrict x,
                           const int8_t *restrict w, uint32_t count)
{
    for (uint32_t l = 0; l < count; l++) {
        lanes[l] += x[l] * w[l];
    }
}

void hil_mac_each_s8_20bit(int32_t *restrict lanes, const int8_t *restrict x,
                           const int8_t *restrict w, uint32_t count)
{
    for (uint32_t l = 0; l < count; l++) {
        lanes[l] = hil_clamp_s32(lanes[l] + x[l] * w[l], MIN_20, MAX_20);
    }
}

void hil_mac_each_s8_32bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t count)
{
    for (uint32_t l = 0; l < count; l++) {
        lanes[l] = add_sat32(lanes[l], x[l] * w[l]);
    }
}

void hil_mac_each_s16_exact(int64_t *restrict lanes, const int16_t *restrict x,
                            const int16_t *restrict w, uint32_t count)
{
    for (uint32_t l = 0; l < count; l++) {
        lanes[l] += x[l] * w[l];
    }
}

void hil_mac_each_s16_40bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t count)
{
    for (uint32_t l = 0; l < count; l++) {
        lanes[l] = add_sat40(lanes[l], x[l] * w[l]);
    }
}

void hil_mac_each_s16_64bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t count)
{
    for (uint32_t l = 0; l < count; l++) {
        lanes[l] = add_sat64(lanes[l], x[l] * w[l]);
    }
}
