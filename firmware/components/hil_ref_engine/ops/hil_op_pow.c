/* Pow: through float32. The base and the exponent in real numbers. Source: ESP-DL 12c0616
 * dl_base_pow.cpp. */
#include "hil_broadcast.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    return hil_op_require_same_dtype(op, 0);
}

static float function(float a, float b)
{
    return powf(a, b);
}

static void row_of_floats(const hil_op_context_t *op, const hil_row_t *row)
{
    const float *a = row->a;
    const float *b = row->b;
    float *y = row->y;
    (void)op;
    for (uint32_t i = 0; i < row->length; i++) {
        y[i] = function(a[i * row->a_step], b[i * row->b_step]);
    }
}

static void row_of_ints(const hil_op_context_t *op, const hil_row_t *row)
{
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    float a_scale = hil_exp2f(hil_op_input(op, 0)->exponent);
    float b_scale = hil_exp2f(hil_op_input(op, 1)->exponent);
    float rescale = hil_exp2f(-hil_op_output(op, 0)->exponent);
    for (uint32_t i = 0; i < row->length; i++) {
        float a = (float)hil_load_int(row->a, dtype, i * row->a_step) * a_scale;
        float b = (float)hil_load_int(row->b, dtype, i * row->b_step) * b_scale;
        hil_store_int(row->y, dtype, i,
                      hil_quantize(function(a, b) * rescale, dtype, op->rounding));
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    bool is_float = hil_op_input(op, 0)->dtype == HIL_FLOAT;
    hil_broadcast_rows(op, is_float ? row_of_floats : row_of_ints, NULL);
    return HIL_OK;
}

const hil_op_t hil_op_pow = {.type = "Pow", .prepare = prepare, .eval = eval};
