/* Shared integer and float arithmetic of ESP-DL's kernels. */
#include "hil_num.h"

int32_t hil_round_f32(float value, hil_rounding_t rounding)
{
    float whole;
    switch (rounding) {
    case HIL_ROUND_HALF_EVEN:
        whole = rintf(value);
        break;
    case HIL_ROUND_DOWN:
        whole = floorf(value);
        break;
    case HIL_ROUND_TARGET:
    case HIL_ROUND_HALF_UP:
    default:
        /* The sum is rounded to float before the floor, as on the chip. */
        whole = floorf(value + 0.5f);
        break;
    }
    if (whole >= 2147483648.0f) {
        return INT32_MAX;
    }
    if (!(whole >= -2147483648.0f)) {
        return whole != whole ? 0 : INT32_MIN;
    }
    return (int32_t)whole;
}

/* ESP-DL takes anything within 1e-6 of a tie as a tie on half-even targets. */
static double round_f64_half_even(double value)
{
    double away = value < 0 ? value - 0.5 : value + 0.5;
    double whole = trunc(away);
    if (fabs(away - rint(away)) < 1e-6 && fmod(rint(away), 2.0) != 0.0) {
        whole = rint(away) + (value < 0 ? 1.0 : -1.0);
    }
    return whole;
}

int32_t hil_round_f64(double value, hil_rounding_t rounding)
{
    double whole;
    switch (rounding) {
    case HIL_ROUND_HALF_EVEN:
        whole = round_f64_half_even(value);
        break;
    case HIL_ROUND_DOWN:
        whole = floor(value);
        break;
    case HIL_ROUND_TARGET:
    case HIL_ROUND_HALF_UP:
    default:
        whole = floor(value + 0.5);
        break;
    }
    if (whole >= 2147483647.0) {
        return INT32_MAX;
    }
    if (!(whole >= -2147483648.0)) {
        return whole != whole ? 0 : INT32_MIN;
    }
    return (int32_t)whole;
}
