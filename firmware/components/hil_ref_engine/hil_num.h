/*
 * Shared integer and float arithmetic of ESP-DL's kernels.
 *
 * The only place where integers are shifted right with rounding, saturated to a type, or made from
 * floats. Sources: ESP-DL 12c0616 dl_tool.cpp (`round`, `shift_and_round`), dl_define.hpp (`SCALE`,
 * `RESCALE`), dl_tensor_base.cpp (`quantize`).
 */
#ifndef HIL_NUM_H
#define HIL_NUM_H

#include <math.h>
#include <stdint.h>

#include "hil_ref_engine.h"

static inline int32_t hil_clamp_s32(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static inline int64_t hil_clamp_s64(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static inline int8_t hil_saturate_s8(int64_t value)
{
    return (int8_t)hil_clamp_s64(value, INT8_MIN, INT8_MAX);
}

static inline int16_t hil_saturate_s16(int64_t value)
{
    return (int16_t)hil_clamp_s64(value, INT16_MIN, INT16_MAX);
}

/* Bounds of an integer element type of 8 or 16 bits. */
static inline int32_t hil_int_min(hil_dtype_t dtype)
{
    return dtype == HIL_INT8 ? INT8_MIN : INT16_MIN;
}

static inline int32_t hil_int_max(hil_dtype_t dtype)
{
    return dtype == HIL_INT8 ? INT8_MAX : INT16_MAX;
}

/* Arithmetic shift right (floor) by 0..63 without relying on the compiler's choice. */
static inline int64_t hil_floor_shift(int64_t value, uint32_t shift)
{
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* 2^exponent; exponents of .espdl files lie within [-64, 64]. */
static inline float hil_exp2f(int32_t exponent)
{
    return ldexpf(1.0f, exponent);
}

/* value / 2^shift, rounded; exact for every value. `shift` in 0..63. */
static inline int64_t hil_shift_round(int64_t value, uint32_t shift, hil_rounding_t rounding)
{
    if (shift == 0) {
        return value;
    }
    int64_t quotient = hil_floor_shift(value, shift);
    uint64_t remainder = (uint64_t)value & (((uint64_t)1 << shift) - 1);
    uint64_t half = (uint64_t)1 << (shift - 1);
    bool up = remainder >= half;
    if (rounding == HIL_ROUND_HALF_EVEN) {
        up = remainder > half || (remainder == half && (quotient & 1) != 0);
    } else if (rounding == HIL_ROUND_DOWN) {
        up = false;
    }
    return quotient + (up ? 1 : 0);
}

/*
 * To an integer with the target's rounding; the caller clips. Beyond int32: the nearest int32.
 * Infinities and NaN: half even does as the chip's instruction (nearest, NaN to INT32_MAX); the
 * others as ESP-DL's recorded integers (INT32_MIN).
 */
int32_t hil_round_f32(float value, hil_rounding_t rounding);
int32_t hil_round_f64(double value, hil_rounding_t rounding);

/* The square root as ESP-DL iterates it: stops when two guesses differ by at most 1e-5. */
float hil_sqrt_newton(float value);

/* clip(round(value)) to `dtype`, which is HIL_INT8 or HIL_INT16. */
static inline int32_t hil_quantize(float value, hil_dtype_t dtype, hil_rounding_t rounding)
{
    return hil_clamp_s32(hil_round_f32(value, rounding), hil_int_min(dtype), hil_int_max(dtype));
}

/* Keeps the low `bits` bits, sign-extended: what a narrower register holds. */
static inline int64_t hil_wrap_bits(int64_t value, uint32_t bits)
{
    uint64_t sign = (uint64_t)1 << (bits - 1);
    uint64_t low = (uint64_t)value & (sign | (sign - 1));
    return (int64_t)((low ^ sign) - sign);
}

/* An element of an integer tensor of 8 or 16 bits, or of a float one. */
static inline int32_t hil_load_int(const void *data, hil_dtype_t dtype, uint32_t index)
{
    return dtype == HIL_INT8 ? ((const int8_t *)data)[index] : ((const int16_t *)data)[index];
}

static inline void hil_store_int(void *data, hil_dtype_t dtype, uint32_t index, int32_t value)
{
    if (dtype == HIL_INT8) {
        ((int8_t *)data)[index] = (int8_t)value;
    } else {
        ((int16_t *)data)[index] = (int16_t)value;
    }
}

#endif
