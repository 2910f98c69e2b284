/*
 * Mul: the product shifted by e_y - e_a - e_b.
 *
 * Vector families compute rows of at least one vector exactly; shorter rows, and the c family, go
 * through float32, which rounds int16 products to 24 bits first. Source: ESP-DL 12c0616
 * dl_base_mul.cpp, isa/tie728 and isa/esp32p4 *_mul.S.
 */
#include "hil_broadcast.h"

static int32_t shift_of(const hil_op_context_t *op)
{
    return hil_op_output(op, 0)->exponent - hil_op_input(op, 0)->exponent -
           hil_op_input(op, 1)->exponent;
}

static bool rows_are_exact(const hil_op_context_t *op)
{
    const hil_broadcast_t *broadcast = op->node->data;
    uint32_t vector = 16 / hil_dtype_size(hil_op_input(op, 0)->dtype);
    return op->kernels != HIL_KERNELS_C && broadcast->length >= vector;
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    if (hil_op_input(op, 0)->dtype != HIL_FLOAT && rows_are_exact(op)) {
        if (shift_of(op) < 0) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED,
                     "negative shift: output exponent below the sum of the inputs'");
        }
        if (shift_of(op) > 31) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "shift above 31 bits");
        }
    }
    return HIL_OK;
}

static void multiply_floats(const hil_op_context_t *op, const hil_row_t *row)
{
    const float *a = row->a;
    const float *b = row->b;
    float *y = row->y;
    (void)op;
    for (uint32_t i = 0; i < row->length; i++) {
        y[i] = a[i * row->a_step] * b[i * row->b_step];
    }
}

static void multiply_exact(const hil_op_context_t *op, const hil_row_t *row)
{
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    uint32_t shift = (uint32_t)shift_of(op);
    int32_t low = hil_int_min(dtype);
    int32_t high = hil_int_max(dtype);
    for (uint32_t i = 0; i < row->length; i++) {
        int64_t product = (int64_t)hil_load_int(row->a, dtype, i * row->a_step) *
                          hil_load_int(row->b, dtype, i * row->b_step);
        int64_t value = hil_shift_round(product, shift, op->rounding);
        hil_store_int(row->y, dtype, i, (int32_t)hil_clamp_s64(value, low, high));
    }
}

static void multiply_through_float(const hil_op_context_t *op, const hil_row_t *row)
{
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    float rescale = hil_exp2f(-shift_of(op));
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t product = hil_load_int(row->a, dtype, i * row->a_step) *
                          hil_load_int(row->b, dtype, i * row->b_step);
        hil_store_int(row->y, dtype, i,
                      hil_quantize((float)product * rescale, dtype, op->rounding));
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_row_function_t function = rows_are_exact(op) ? multiply_exact : multiply_through_float;
    if (hil_op_input(op, 0)->dtype == HIL_FLOAT) {
        function = multiply_floats;
    }
    hil_broadcast_rows(op, function, NULL);
    return HIL_OK;
}

const hil_op_t hil_op_mul = {.type = "Mul", .prepare = prepare, .eval = eval};
