/*
 * Conv: dense and depthwise, 1-D and 2-D, with fused Relu.
 *
 * Input [1, H, W, C] or [1, W, C]; filter labelled [H, W, C, N] or [W, C, N] (depthwise: N before a
 * last 1), its bytes in the family's layout. Source: ESP-DL 12c0616 dl_module_conv.hpp.
 */
#include "hil_filter.h"

static hil_status_t read_window(hil_op_context_t *op, hil_mac_t *mac, uint32_t spatial,
                                const hil_value_t *input, const hil_value_t *filter)
{
    int64_t strides[2] = {1, 1};
    int64_t dilations[2] = {1, 1};
    int64_t pads[4] = {0, 0, 0, 0};
    const int64_t most = 0xffff;
    HIL_TRY(hil_op_ints(op, "strides", spatial, 1, most, strides));
    HIL_TRY(hil_op_ints(op, "dilations", spatial, 1, most, dilations));
    HIL_TRY(hil_op_ints(op, "pads", 2 * spatial, 0, most, pads));
    hil_mac_axis_t one = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
    hil_mac_axis_t *axes[2] = {&mac->y, &mac->x};
    mac->y = one;
    for (uint32_t i = 0; i < spatial; i++) {
        hil_mac_axis_t *axis = axes[2 - spatial + i];
        axis->input = input->dims[1 + i];
        axis->kernel = filter->dims[i];
        axis->stride = (uint32_t)strides[i];
        axis->dilation = (uint32_t)dilations[i];
        axis->pad_begin = (uint32_t)pads[i];
        axis->pad_end = (uint32_t)pads[spatial + i];
        HIL_TRY(hil_mac_output_size(op, axis));
    }
    return HIL_OK;
}

static hil_status_t read_channels(hil_op_context_t *op, hil_mac_t *mac, uint32_t spatial,
                                  const hil_value_t *input, const hil_value_t *filter)
{
    int64_t group = hil_op_int(op, "group", 1);
    mac->depthwise = group != 1;
    mac->input_channels = input->dims[1 + spatial];
    if (mac->depthwise) {
        mac->output_channels = filter->dims[spatial];
        if (group != (int64_t)mac->input_channels || mac->output_channels != mac->input_channels ||
            filter->dims[spatial + 1] != 1) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "group: only 1, or one filter per input channel");
        }
    } else {
        mac->output_channels = filter->dims[spatial + 1];
        if (filter->dims[spatial] != mac->input_channels) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "input channels of the filter");
        }
    }
    return HIL_OK;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 3, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *filter = hil_op_parameter(op, 1);
    HIL_TRY(hil_op_require_numeric(op, input, false));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    if (filter == NULL || filter->dtype != input->dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "filter is not a constant of the input's type");
    }
    if ((input->rank != 3 && input->rank != 4) || filter->rank != input->rank ||
        filter->count == 0) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "rank of input and filter");
    }
    if (input->dims[0] != 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "batch above 1");
    }
    uint32_t spatial = input->rank - 2;
    hil_mac_t *mac = hil_op_alloc(op, sizeof *mac);
    if (mac == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = mac;
    mac->dtype = input->dtype;
    HIL_TRY(hil_mac_fused_relu(op, &mac->relu));
    HIL_TRY(read_channels(op, mac, spatial, input, filter));
    HIL_TRY(read_window(op, mac, spatial, input, filter));
    HIL_TRY(hil_mac_prepare(op, mac, filter, hil_op_input(op, 2)));
    uint32_t dims_2d[4] = {1, mac->y.output, mac->x.output, mac->output_channels};
    uint32_t dims_1d[3] = {1, mac->x.output, mac->output_channels};
    return hil_op_set_shape(op, 0, input->rank, spatial == 2 ? dims_2d : dims_1d);
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_mac_run(op->node->data, hil_op_input(op, 0)->data, hil_op_input(op, 1)->data,
                hil_op_output_data(op, 0));
    return HIL_OK;
}

const hil_op_t hil_op_conv = {.type = "Conv", .prepare = prepare, .eval = eval};
