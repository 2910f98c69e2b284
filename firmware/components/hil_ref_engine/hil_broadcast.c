/* Elementwise operators of two inputs: ONNX broadcasting as rows. */
#include "hil_broadcast.h"

/* Dimension `i` of the output in an input that may have fewer of them. */
static uint32_t aligned_dim(const hil_value_t *value, uint32_t i, uint32_t rank)
{
    return i + value->rank < rank ? 1 : value->dims[i + value->rank - rank];
}

/* How a dimension broadcasts: dimensions of one kind that lie side by side are merged. */
typedef enum { SAME, REPEAT_A, REPEAT_B, BOTH_ONE } dim_kind_t;

static dim_kind_t kind_of(uint32_t a, uint32_t b)
{
    if (a == b) {
        return a == 1 ? BOTH_ONE : SAME;
    }
    return a == 1 ? REPEAT_A : REPEAT_B;
}

static hil_status_t merge(hil_op_context_t *op, hil_broadcast_t *broadcast, const hil_value_t *a,
                          const hil_value_t *b, uint32_t rank)
{
    dim_kind_t kinds[HIL_BROADCAST_RANK];
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t da = aligned_dim(a, i, rank);
        uint32_t db = aligned_dim(b, i, rank);
        dim_kind_t kind = kind_of(da, db);
        if (kind == BOTH_ONE) {
            continue;
        }
        uint32_t size = da > db ? da : db;
        if (broadcast->rank > 0 && kinds[broadcast->rank - 1] == kind) {
            broadcast->dims[broadcast->rank - 1] *= size;
            continue;
        }
        if (broadcast->rank == HIL_BROADCAST_RANK) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "broadcasting over more than 4 merged dimensions");
        }
        kinds[broadcast->rank] = kind;
        broadcast->dims[broadcast->rank++] = size;
    }
    if (broadcast->rank == 0) {
        kinds[0] = BOTH_ONE;
        broadcast->dims[broadcast->rank++] = 1;
    }
    uint32_t step_a = 1;
    uint32_t step_b = 1;
    for (uint32_t i = broadcast->rank; i-- > 0;) {
        bool repeat_a = kinds[i] == REPEAT_A;
        bool repeat_b = kinds[i] == REPEAT_B;
        broadcast->steps[0][i] = repeat_a ? 0 : step_a;
        broadcast->steps[1][i] = repeat_b ? 0 : step_b;
        step_a *= repeat_a ? 1 : broadcast->dims[i];
        step_b *= repeat_b ? 1 : broadcast->dims[i];
    }
    broadcast->length = broadcast->dims[broadcast->rank - 1];
    return HIL_OK;
}

hil_status_t hil_broadcast_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 2, 2, 1));
    const hil_value_t *a = hil_op_input(op, 0);
    const hil_value_t *b = hil_op_input(op, 1);
    HIL_TRY(hil_op_require_numeric(op, a, true));
    if (a->dtype != b->dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the inputs differ in element type");
    }
    uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    uint32_t dims[HIL_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t da = aligned_dim(a, i, rank);
        uint32_t db = aligned_dim(b, i, rank);
        if (da == 0 || db == 0 || (da != db && da != 1 && db != 1)) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "the inputs do not broadcast");
        }
        dims[i] = da > db ? da : db;
    }
    hil_broadcast_t *broadcast = hil_op_alloc(op, sizeof *broadcast);
    if (broadcast == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = broadcast;
    HIL_TRY(hil_op_set_shape(op, 0, rank, dims));
    return merge(op, broadcast, a, b, rank);
}

void hil_broadcast_rows(hil_op_context_t *op, hil_row_function_t function, const void *extra)
{
    const hil_broadcast_t *broadcast = op->node->data;
    uint32_t last = broadcast->rank - 1;
    uint32_t input_size = hil_dtype_size(hil_op_input(op, 0)->dtype);
    uint32_t output_size = hil_dtype_size(hil_op_output(op, 0)->dtype);
    const uint8_t *a = hil_op_input(op, 0)->data;
    const uint8_t *b = hil_op_input(op, 1)->data;
    uint8_t *y = hil_op_output_data(op, 0);
    uint32_t rows = hil_dims_product(broadcast->dims, 0, last);
    hil_row_t row = {.a_step = broadcast->steps[0][last],
                     .b_step = broadcast->steps[1][last],
                     .length = broadcast->length,
                     .extra = extra};
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t at_a = 0;
        uint32_t at_b = 0;
        uint32_t rest = r;
        for (uint32_t i = last; i-- > 0; rest /= broadcast->dims[i]) {
            at_a += rest % broadcast->dims[i] * broadcast->steps[0][i];
            at_b += rest % broadcast->dims[i] * broadcast->steps[1][i];
        }
        row.a = a + (size_t)at_a * input_size;
        row.b = b + (size_t)at_b * input_size;
        row.y = y + (size_t)r * broadcast->length * output_size;
        function(op, &row);
    }
}
