/* Shared integer and float arithmetic of ESP-DL's kernels. */
#include "hil_num.h"

/* A whole number to the nearest int32. */
static int32_t clip_to_s32(double whole, hil_rounding_t rounding)
{
    if (isnan(whole) || (isinf(whole) && rounding != HIL_ROUND_HALF_EVEN)) {
        return rounding == HIL_ROUND_HALF_EVEN ? INT32_MAX : INT32_MIN;
    }
    if (whole <= (double)INT32_MIN) {
        return INT32_MIN;
    }
    return whole >= (double)INT32_MAX ? INT32_MAX : (int32_t)whole;
}

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
    return clip_to_s32((double)whole, rounding);
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
    return clip_to_s32(whole, rounding);
}

/* Newton's steps halve the distance; where floats are further apart than 1e-5 they may alternate.
 */
#define MOST_NEWTON_STEPS 1000

float hil_sqrt_newton(float value)
{
    if (value == 0.0f) {
        return 0.0f;
    }
    float guess = value;
    float last = 0.0f;
    int32_t steps = 0;
    do {
        last = guess;
        guess = (last + value / last) * 0.5f;
        steps++;
    } while (fabsf(guess - last) > 0.00001f && steps < MOST_NEWTON_STEPS);
    return guess;
}
