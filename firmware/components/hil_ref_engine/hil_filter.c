/* How filters lie in the file. */
#include "hil_filter.h"

hil_filter_t hil_filter_locate(const hil_mac_t *mac, uint32_t channel)
{
    uint32_t taps = mac->y.kernel * mac->x.kernel;
    uint32_t blocked = hil_filter_blocked(mac->output_channels, mac->lanes);
    hil_filter_t filter;
    if (mac->depthwise) {
        bool in_block = mac->kernels != HIL_KERNELS_C && channel < blocked;
        if (mac->kernels == HIL_KERNELS_C) {
            filter.first = channel;
            filter.tap_stride = mac->output_channels;
        } else {
            filter.first = in_block ? channel * taps : blocked * taps + (channel - blocked);
            filter.tap_stride = in_block ? mac->lanes : mac->output_channels - blocked;
        }
    } else {
        /* Blocks and single rows have the same number of elements per channel. */
        filter.first = channel * taps * mac->input_channels;
        filter.tap_stride = mac->input_channels * (channel < blocked ? mac->lanes : 1);
    }
    return filter;
}

void hil_filter_pack_matrix(const hil_mac_t *mac, const void *matrix, void *packed)
{
    uint32_t rows = mac->input_channels;
    uint32_t columns = mac->output_channels;
    uint32_t blocked = hil_filter_blocked(columns, mac->lanes);
    for (uint32_t n = 0; n < columns; n++) {
        hil_filter_t filter = hil_filter_locate(mac, n < blocked ? n - n % mac->lanes : n);
        uint32_t step = n < blocked ? mac->lanes : 1;
        for (uint32_t k = 0; k < rows; k++) {
            uint32_t at = filter.first + k * step + (n < blocked ? n % mac->lanes : 0);
            hil_store_int(packed, mac->dtype, at,
                          hil_load_int(matrix, mac->dtype, k * columns + n));
        }
    }
}
