/*
 * Div: through float32, in the order of operations of the kernels.
 *
 * int8 with a single-element operand goes through a table on the board; its rows differ from the
 * direct ones at a zero divisor. Source: ESP-DL 12c0616 dl_base_div.cpp.
 */
#include "hil_broadcast.h"

typedef struct {
    float rescale;
    bool table; /* int8 with a single-element operand */
} division_t;

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    return hil_op_require_same_dtype(op, 0);
}

static void divide_floats(const hil_op_context_t *op, const hil_row_t *row)
{
    const float *a = row->a;
    const float *b = row->b;
    float *y = row->y;
    (void)op;
    if (row->b_step == 0 || row->length == 1) {
        float inverse = (float)(1.0 / (double)b[0]);
        for (uint32_t i = 0; i < row->length; i++) {
            y[i] = a[i * row->a_step] * inverse;
        }
        return;
    }
    for (uint32_t i = 0; i < row->length; i++) {
        y[i] = a[i * row->a_step] / b[i * row->b_step];
    }
}

static int32_t by_zero(int32_t a, hil_dtype_t dtype)
{
    return a > 0 ? hil_int_max(dtype) : hil_int_min(dtype);
}

/* scalar / vector: the numerator is scaled first. */
static void divide_scalar(const hil_op_context_t *op, const hil_row_t *row)
{
    const division_t *division = row->extra;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    int32_t a = hil_load_int(row->a, dtype, 0);
    float numerator = (float)a * division->rescale;
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t b = hil_load_int(row->b, dtype, i * row->b_step);
        int32_t y;
        if (b == 0) {
            y = a == 0 && !division->table ? 0 : by_zero(a, dtype);
        } else {
            y = hil_quantize(numerator / (float)b, dtype, op->rounding);
        }
        hil_store_int(row->y, dtype, i, y);
    }
}

/* vector / scalar: one division for the whole row. */
static void divide_by_scalar(const hil_op_context_t *op, const hil_row_t *row)
{
    const division_t *division = row->extra;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    int32_t b = hil_load_int(row->b, dtype, 0);
    float factor = division->rescale / (float)b;
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t a = hil_load_int(row->a, dtype, i * row->a_step);
        int32_t y = 0;
        if (b == 0 && a != 0 && !division->table) {
            y = by_zero(a, dtype);
        } else if (a != 0) {
            /* The table has no look at the divisor: by zero, the conversion of an infinity. */
            y = hil_quantize((float)a * factor, dtype, op->rounding);
        }
        hil_store_int(row->y, dtype, i, y);
    }
}

static void divide_each(const hil_op_context_t *op, const hil_row_t *row)
{
    const division_t *division = row->extra;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t a = hil_load_int(row->a, dtype, i * row->a_step);
        int32_t b = hil_load_int(row->b, dtype, i * row->b_step);
        int32_t y = 0;
        if (a != 0) {
            y = b == 0 ? by_zero(a, dtype)
                       : hil_quantize((float)a * division->rescale / (float)b, dtype, op->rounding);
        }
        hil_store_int(row->y, dtype, i, y);
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    const hil_value_t *a = hil_op_input(op, 0);
    const hil_value_t *b = hil_op_input(op, 1);
    const hil_broadcast_t *broadcast = op->node->data;
    uint32_t last = broadcast->rank - 1;
    if (a->dtype == HIL_FLOAT) {
        hil_broadcast_rows(op, divide_floats, NULL);
        return HIL_OK;
    }
    division_t division = {.rescale = hil_exp2f(-hil_op_output(op, 0)->exponent) *
                                      hil_exp2f(a->exponent) / hil_exp2f(b->exponent),
                           .table = a->dtype == HIL_INT8 && (a->count == 1 || b->count == 1)};
    bool scalar_a = broadcast->steps[0][last] == 0 || broadcast->length == 1;
    bool scalar_b = broadcast->steps[1][last] == 0 || broadcast->length == 1;
    hil_row_function_t function = divide_each;
    /* Where both rows are single elements, int8 looks at the numerator first, int16 last. */
    if (scalar_a && (a->dtype == HIL_INT8 || !scalar_b)) {
        function = divide_scalar;
    } else if (scalar_b) {
        function = divide_by_scalar;
    }
    hil_broadcast_rows(op, function, &division);
    return HIL_OK;
}

const hil_op_t hil_op_div = {.type = "Div", .prepare = prepare, .eval = eval};
