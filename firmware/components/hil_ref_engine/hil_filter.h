/*
 * How filters lie in the file.
 *
 * Vector families, A = 16 (int8) or 8 (int16) output channels per block:
 *   dense      floor(N/A) blocks [H][W][C][A], then the other channels as [n][H][W][C]
 *   depthwise  floor(N/A) blocks [H][W][A],    then the other channels as [H][W][n]
 * c family:
 *   dense      [N][H][W][C]
 *   depthwise  [H][W][N]
 * The shape in the file says HWCN (dense) or HWN1 (depthwise) whatever the bytes.
 */
#ifndef HIL_FILTER_H
#define HIL_FILTER_H

#include "hil_mac.h"

/* Where the weights of one block of output channels, or of a single one, lie. */
typedef struct {
    uint32_t first;      /* element of tap (0, 0), input channel 0 */
    uint32_t tap_stride; /* elements from one tap to the next (x fastest) */
} hil_filter_t;

/* Output channels that fill whole blocks. */
static inline uint32_t hil_filter_blocked(uint32_t channels, uint32_t lanes)
{
    return channels - channels % lanes;
}

/* Channels whose accumulator is a vector lane; the others sum in the scalar one. */
static inline uint32_t hil_mac_lane_channels(const hil_mac_t *mac)
{
    return mac->depthwise ? mac->output_channels
                          : hil_filter_blocked(mac->output_channels, mac->lanes);
}

/* Where the weights of output channel `channel` start: a block's first channel, or a single one. */
hil_filter_t hil_filter_locate(const hil_mac_t *mac, uint32_t channel);

/*
 * Packs a plain matrix [K, N] as a 1x1 dense filter of the family: for MatMul whose second input
 * was left in its native order.
 */
void hil_filter_pack_matrix(const hil_mac_t *mac, const void *matrix, void *packed);

#endif
