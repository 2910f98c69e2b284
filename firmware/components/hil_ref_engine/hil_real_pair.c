/* Operators of two inputs that go through float32. */
#include "hil_real_pair.h"

hil_status_t hil_real_pair_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    return hil_op_require_same_dtype(op, 0);
}

/* A function pointer travels in a struct: it may not be turned into a pointer to data. */
typedef struct {
    hil_real_pair_function_t function;
} extra_t;

static void row_of_floats(const hil_op_context_t *op, const hil_row_t *row)
{
    const float *a = row->a;
    const float *b = row->b;
    float *y = row->y;
    (void)op;
    const extra_t *extra = row->extra;
    for (uint32_t i = 0; i < row->length; i++) {
        y[i] = extra->function(a[i * row->a_step], b[i * row->b_step]);
    }
}

static void row_of_ints(const hil_op_context_t *op, const hil_row_t *row)
{
    const extra_t *extra = row->extra;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    float a_scale = hil_exp2f(hil_op_input(op, 0)->exponent);
    float b_scale = hil_exp2f(hil_op_input(op, 1)->exponent);
    float rescale = hil_exp2f(-hil_op_output(op, 0)->exponent);
    for (uint32_t i = 0; i < row->length; i++) {
        float a = (float)hil_load_int(row->a, dtype, i * row->a_step) * a_scale;
        float b = (float)hil_load_int(row->b, dtype, i * row->b_step) * b_scale;
        hil_store_int(row->y, dtype, i,
                      hil_quantize(extra->function(a, b) * rescale, dtype, op->rounding));
    }
}

hil_status_t hil_real_pair_eval(hil_op_context_t *op, hil_real_pair_function_t function)
{
    extra_t extra = {function};
    bool is_float = hil_op_input(op, 0)->dtype == HIL_FLOAT;
    hil_broadcast_rows(op, is_float ? row_of_floats : row_of_ints, &extra);
    return HIL_OK;
}
