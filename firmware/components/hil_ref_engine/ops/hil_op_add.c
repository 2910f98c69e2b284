/*
 * Add and Sub: raw integers, saturated; exponents are ignored, as on the board.
 *
 * Source: ESP-DL 12c0616 dl_base_add.cpp, dl_base_sub.cpp.
 */
#include "hil_broadcast.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    return hil_op_require_same_dtype(op, 0);
}

/* sign: 1 adds, -1 subtracts. */
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

static hil_status_t eval_add(hil_op_context_t *op)
{
    int32_t sign = 1;
    hil_broadcast_rows(op, combine_row, &sign);
    return HIL_OK;
}

static hil_status_t eval_sub(hil_op_context_t *op)
{
    int32_t sign = -1;
    hil_broadcast_rows(op, combine_row, &sign);
    return HIL_OK;
}

const hil_op_t hil_op_add = {.type = "Add", .prepare = prepare, .eval = eval_add};
const hil_op_t hil_op_sub = {.type = "Sub", .prepare = prepare, .eval = eval_sub};
