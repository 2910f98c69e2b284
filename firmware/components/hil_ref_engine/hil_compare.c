/* Comparisons of raw integers. */
#include "hil_compare.h"

hil_status_t hil_compare_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    HIL_TRY(hil_op_require_numeric(op, hil_op_input(op, 0), false));
    if (hil_op_output(op, 0)->dtype != HIL_BOOL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the output is not bool");
    }
    return HIL_OK;
}

static void compare_row(const hil_op_context_t *op, const hil_row_t *row)
{
    const hil_truth_t *truth = row->extra;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    uint8_t *y = row->y;
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t a = hil_load_int(row->a, dtype, i * row->a_step);
        int32_t b = hil_load_int(row->b, dtype, i * row->b_step);
        y[i] = a < b ? truth->less : a == b ? truth->equal : truth->greater;
    }
}

hil_status_t hil_compare_eval(hil_op_context_t *op, hil_truth_t truth)
{
    hil_broadcast_rows(op, compare_row, &truth);
    return HIL_OK;
}
