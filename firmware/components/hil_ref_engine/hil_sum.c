/* Add and Sub. */
#include "hil_sum.h"

hil_status_t hil_sum_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    return hil_op_require_same_dtype(op, 0);
}

static void combine_row(const hil_op_context_t *op, const hil_row_t *row)
{
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    int32_t sign = *(const int32_t *)row->extra;
    if (dtype == HIL_FLOAT) {
        const float *a = row->a;
        const float *b = row->b;
        float *y = row->y;
        for (uint32_t i = 0; i < row->length; i++) {
            y[i] = a[i * row->a_step] + (float)sign * b[i * row->b_step];
        }
        return;
    }
    int32_t low = hil_int_min(dtype);
    int32_t high = hil_int_max(dtype);
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t sum = hil_load_int(row->a, dtype, i * row->a_step) +
                      sign * hil_load_int(row->b, dtype, i * row->b_step);
        hil_store_int(row->y, dtype, i, hil_clamp_s32(sum, low, high));
    }
}

hil_status_t hil_sum_eval(hil_op_context_t *op, int32_t sign)
{
    hil_broadcast_rows(op, combine_row, &sign);
    return HIL_OK;
}
