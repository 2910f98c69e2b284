/*
 * MatMul: one 1x1 convolution per matrix, with the second input as the filter.
 *
 * Inputs [..., M, K] and [..., K, N]; the second one's label is the matrix shape, its bytes are in
 * the family's filter layout (put there by the exporter, or on the device by nodes before this
 * one), unless `input1_layout` says "native_kn". Source: ESP-DL 12c0616 dl_module_matmul.hpp.
 */
#include "hil_filter.h"

#define MAX_BATCH_RANK 6u

typedef struct {
    hil_mac_t mac;
    bool native; /* the second input is a plain [K, N] */
    uint32_t batch_rank;
    uint32_t batch[MAX_BATCH_RANK];
    /* matrices to step by batch dimension: 0 where broadcast */
    uint32_t left_step[MAX_BATCH_RANK];
    uint32_t right_step[MAX_BATCH_RANK];
    uint32_t left_size; /* elements of one matrix */
    uint32_t right_size;
    uint32_t output_size;
} matmul_t;

/* Dimension `i` of `rank` batch dimensions, aligned to the right; 1 where the value has fewer. */
static uint32_t batch_dim(const hil_value_t *value, uint32_t i, uint32_t rank)
{
    uint32_t own = value->rank > 2 ? value->rank - 2 : 0;
    return i + own < rank ? 1 : value->dims[i + own - rank];
}

static hil_status_t prepare_batch(hil_op_context_t *op, matmul_t *matmul, const hil_value_t *left,
                                  const hil_value_t *right)
{
    uint32_t left_rank = left->rank > 2 ? left->rank - 2 : 0;
    uint32_t right_rank = right->rank > 2 ? right->rank - 2 : 0;
    matmul->batch_rank = left_rank > right_rank ? left_rank : right_rank;
    uint32_t left_step = 1;
    uint32_t right_step = 1;
    for (uint32_t i = matmul->batch_rank; i-- > 0;) {
        uint32_t a = batch_dim(left, i, matmul->batch_rank);
        uint32_t b = batch_dim(right, i, matmul->batch_rank);
        if (a != b && a != 1 && b != 1) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "batch dimensions do not broadcast");
        }
        matmul->batch[i] = a > b ? a : b;
        matmul->left_step[i] = a == 1 ? 0 : left_step;
        matmul->right_step[i] = b == 1 ? 0 : right_step;
        left_step *= a;
        right_step *= b;
    }
    return HIL_OK;
}

static hil_status_t set_shape(hil_op_context_t *op, const matmul_t *matmul, bool has_rows,
                              bool has_columns)
{
    uint32_t dims[HIL_MAX_RANK];
    uint32_t rank = 0;
    for (; rank < matmul->batch_rank; rank++) {
        dims[rank] = matmul->batch[rank];
    }
    if (has_rows) {
        dims[rank++] = matmul->mac.x.output;
    }
    if (has_columns) {
        dims[rank++] = matmul->mac.output_channels;
    }
    if (rank == 0) {
        dims[rank++] = 1; /* a vector times a vector */
    }
    return hil_op_set_shape(op, 0, rank, dims);
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    const hil_value_t *left = hil_op_input(op, 0);
    const hil_value_t *right = hil_op_input(op, 1);
    HIL_TRY(hil_op_require_numeric(op, left, false));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    if (right->dtype != left->dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the inputs differ in element type");
    }
    if (left->rank == 0 || right->rank == 0 || right->count == 0) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "an input is a scalar");
    }
    uint32_t depth = left->dims[left->rank - 1];
    uint32_t rows = left->rank > 1 ? left->dims[left->rank - 2] : 1;
    uint32_t columns = right->rank > 1 ? right->dims[right->rank - 1] : 1;
    if (right->dims[right->rank > 1 ? right->rank - 2 : 0] != depth) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "inner dimensions differ");
    }
    if (right->exponents.count > 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "per-channel exponents");
    }
    matmul_t *matmul = hil_op_alloc(op, sizeof *matmul);
    if (matmul == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = matmul;
    matmul->mac =
        (hil_mac_t){.dtype = left->dtype,
                    .y = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1},
                    .x = {.input = rows, .output = rows, .kernel = 1, .stride = 1, .dilation = 1},
                    .input_channels = depth,
                    .output_channels = columns};
    HIL_TRY(hil_mac_fused_relu(op, &matmul->mac.relu));
    HIL_TRY(hil_mac_prepare(op, &matmul->mac, right, NULL));
    matmul->left_size = rows * depth;
    matmul->right_size = depth * columns;
    matmul->output_size = rows * columns;
    matmul->native = hil_name_is(hil_op_string(op, "input1_layout", ""), "native_kn");
    if (matmul->native) {
        hil_op_want_scratch(op, (size_t)matmul->right_size * hil_dtype_size(right->dtype));
    }
    HIL_TRY(prepare_batch(op, matmul, left, right));
    return set_shape(op, matmul, left->rank > 1, right->rank > 1);
}

static const void *element(const void *data, hil_dtype_t dtype, uint32_t index)
{
    return (const uint8_t *)data + (size_t)index * hil_dtype_size(dtype);
}

static hil_status_t eval(hil_op_context_t *op)
{
    const matmul_t *matmul = op->node->data;
    hil_dtype_t dtype = matmul->mac.dtype;
    uint8_t *result = hil_op_output_data(op, 0);
    uint32_t matrices = hil_dims_product(matmul->batch, 0, matmul->batch_rank);
    for (uint32_t m = 0; m < matrices; m++) {
        uint32_t left = 0;
        uint32_t right = 0;
        uint32_t rest = m;
        for (uint32_t i = matmul->batch_rank; i-- > 0; rest /= matmul->batch[i]) {
            left += rest % matmul->batch[i] * matmul->left_step[i];
            right += rest % matmul->batch[i] * matmul->right_step[i];
        }
        const void *filter = element(hil_op_input(op, 1)->data, dtype, right * matmul->right_size);
        if (matmul->native) {
            hil_filter_pack_matrix(&matmul->mac, filter, hil_op_scratch(op));
            filter = hil_op_scratch(op);
        }
        hil_mac_run(&matmul->mac,
                    element(hil_op_input(op, 0)->data, dtype, left * matmul->left_size), filter,
                    result + (size_t)m * matmul->output_size * hil_dtype_size(dtype));
    }
    return HIL_OK;
}

const hil_op_t hil_op_matmul = {.type = "MatMul", .prepare = prepare, .eval = eval};
