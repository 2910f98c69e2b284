/*
 * Multiply-accumulate: dense and depthwise convolution over one image, for all kernel families.
 *
 * Gemm and MatMul are 1x1 convolutions over an image of height 1. What differs among families is
 * settled once, while preparing, into fields of hil_mac_t: the width and behaviour of accumulators,
 * the bias as the accumulator sees it, the shift as the shift register takes it.
 *
 * Sources: ESP-DL 12c0616 dl_base_conv2d.cpp, dl_base_depthwise_conv2d.cpp, isa/tie728 and
 * isa/esp32p4 *_conv2d.S, *_depthwise_conv2d.S.
 */
#ifndef HIL_MAC_H
#define HIL_MAC_H

#include "hil_op.h"

typedef struct {
    uint32_t input;
    uint32_t output;
    uint32_t kernel;
    uint32_t stride;
    uint32_t dilation;
    uint32_t pad_begin;
    uint32_t pad_end;
} hil_mac_axis_t;

typedef struct {
    hil_kernels_t kernels;
    hil_rounding_t rounding;
    hil_dtype_t dtype; /* of input, filter and output: HIL_INT8 or HIL_INT16 */
    bool depthwise;
    bool relu;
    hil_mac_axis_t y;
    hil_mac_axis_t x;
    uint32_t input_channels;
    uint32_t output_channels;
    uint32_t lanes;        /* output channels per filter block: 16, 8; 1 on the c family */
    bool exact;            /* proven: no lane can leave its accumulator */
    const int64_t *bias;   /* [output_channels], cut to what the accumulator loads; NULL: zeros */
    int32_t shift;         /* negative on the c family: shift left */
    const uint8_t *shifts; /* [output_channels] where they differ, else NULL */
} hil_mac_t;

/*
 * Settles accumulators, bias and shifts. `filter` gives the exponents; `bias` may be NULL.
 * Geometry, channels, dtype and `depthwise` are already set.
 */
HIL_CHECK_RESULT hil_status_t hil_mac_prepare(hil_op_context_t *op, hil_mac_t *mac,
                                              const hil_value_t *filter, const hil_value_t *bias);
/* Output size of one axis from the other fields; refuses what ESP-DL computes from stray memory. */
HIL_CHECK_RESULT hil_status_t hil_mac_output_size(hil_op_context_t *op, hil_mac_axis_t *axis);

/* The attribute `activation`: Linear or Relu. */
HIL_CHECK_RESULT hil_status_t hil_mac_fused_relu(hil_op_context_t *op, bool *relu);

/* input [H, W, C], output [H', W', N]; filter in the layout of the family (hil_filter.h). */
void hil_mac_run(const hil_mac_t *mac, const void *input, const void *filter, void *output);

#endif
