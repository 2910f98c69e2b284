/*
 * Gemm: a 1x1 convolution; all leading dimensions of the input are its width.
 *
 * Input [..., K]; filter labelled [1, 1, K, N]. Source: ESP-DL 12c0616 dl_module_gemm.hpp.
 */
#include "hil_filter.h"

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
    if (hil_op_int(op, "transA", 0) != 0 || hil_op_int(op, "transB", 0) != 0) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "transA and transB");
    }
    if (hil_op_float(op, "alpha", 1.0f) != 1.0f || hil_op_float(op, "beta", 1.0f) != 1.0f) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "alpha and beta other than 1");
    }
    if (input->rank == 0 || filter->rank != 4 || filter->dims[0] != 1 || filter->dims[1] != 1 ||
        filter->count == 0 || filter->dims[2] != input->dims[input->rank - 1]) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "input and filter do not fit");
    }
    hil_mac_t *mac = hil_op_alloc(op, sizeof *mac);
    if (mac == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = mac;
    uint32_t rows = hil_dims_product(input->dims, 0, input->rank - 1);
    *mac =
        (hil_mac_t){.dtype = input->dtype,
                    .y = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1},
                    .x = {.input = rows, .output = rows, .kernel = 1, .stride = 1, .dilation = 1},
                    .input_channels = filter->dims[2],
                    .output_channels = filter->dims[3]};
    HIL_TRY(hil_mac_fused_relu(op, &mac->relu));
    HIL_TRY(hil_mac_prepare(op, mac, filter, hil_op_input(op, 2)));
    uint32_t dims[HIL_MAX_RANK];
    for (uint32_t i = 0; i + 1 < input->rank; i++) {
        dims[i] = input->dims[i];
    }
    dims[input->rank - 1] = mac->output_channels;
    return hil_op_set_shape(op, 0, input->rank, dims);
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_mac_run(op->node->data, hil_op_input(op, 0)->data, hil_op_input(op, 1)->data,
                hil_op_output_data(op, 0));
    return HIL_OK;
}

const hil_op_t hil_op_gemm = {.type = "Gemm", .prepare = prepare, .eval = eval};
