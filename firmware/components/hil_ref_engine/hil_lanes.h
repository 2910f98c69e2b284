/*
 * Accumulators: lanes of a vector register and the scalar one, with the widths of each family.
 *
 * Law: a function called *_exact may be used only where no partial sum can leave the register; the
 * others give the register's own behaviour at every step.
 */
#ifndef HIL_LANES_H
#define HIL_LANES_H

#include <stdbool.h>
#include <stdint.h>

#define HIL_LANES_S8 16u
#define HIL_LANES_S16 8u

/* lanes[l] += sum over c of x[c] * w[c][l], c ascending. */
typedef void (*hil_mac_lanes_s8_t)(int32_t *lanes, const int8_t *x, const int8_t *w,
                                   uint32_t channels);
typedef void (*hil_mac_lanes_s16_t)(int64_t *lanes, const int16_t *x, const int16_t *w,
                                    uint32_t channels);

void hil_mac_lanes_s8_exact(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t channels);
void hil_mac_lanes_s8_20bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t channels);
void hil_mac_lanes_s8_32bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t channels);
void hil_mac_lanes_s16_exact(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t channels);
void hil_mac_lanes_s16_40bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t channels);
void hil_mac_lanes_s16_64bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t channels);

/* The scalar accumulator, 40 bits: adds whole vectors of products, then saturates. */
int64_t hil_mac_scalar_s8_40bit(int64_t sum, const int8_t *x, const int8_t *w, uint32_t channels);
int64_t hil_mac_scalar_s16_40bit(int64_t sum, const int16_t *x, const int16_t *w,
                                 uint32_t channels);

/* Plain C: 32 and 64 bits, wrapping. */
uint32_t hil_mac_wrap_s8(uint32_t sum, const int8_t *x, const int8_t *w, uint32_t channels);
uint64_t hil_mac_wrap_s16(uint64_t sum, const int16_t *x, const int16_t *w, uint32_t channels);

/* One multiply-accumulate per lane: depthwise. `count` lanes. */
typedef void (*hil_mac_each_s8_t)(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t count);
typedef void (*hil_mac_each_s16_t)(int64_t *lanes, const int16_t *x, const int16_t *w,
                                   uint32_t count);

void hil_mac_each_s8_exact(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t count);
void hil_mac_each_s8_20bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t count);
void hil_mac_each_s8_32bit(int32_t *lanes, const int8_t *x, const int8_t *w, uint32_t count);
void hil_mac_each_s16_exact(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t count);
void hil_mac_each_s16_40bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t count);
void hil_mac_each_s16_64bit(int64_t *lanes, const int16_t *x, const int16_t *w, uint32_t count);

#endif
