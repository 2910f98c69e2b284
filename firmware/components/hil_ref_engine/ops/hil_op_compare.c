/*
 * Equal, Greater, GreaterOrEqual, Less, LessOrEqual: of raw integers, exponents ignored, to bool.
 *
 * Source: ESP-DL 12c0616 dl_base_equal.cpp and its four siblings.
 */
#include "hil_broadcast.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_broadcast_prepare(op));
    HIL_TRY(hil_op_require_numeric(op, hil_op_input(op, 0), false));
    if (hil_op_output(op, 0)->dtype != HIL_BOOL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "the output is not bool");
    }
    return HIL_OK;
}

/* Which of a < b, a == b, a > b give true. */
typedef struct {
    uint8_t less;
    uint8_t equal;
    uint8_t greater;
} truth_t;

static void compare_row(const hil_op_context_t *op, const hil_row_t *row)
{
    const truth_t *truth = row->extra;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    uint8_t *y = row->y;
    for (uint32_t i = 0; i < row->length; i++) {
        int32_t a = hil_load_int(row->a, dtype, i * row->a_step);
        int32_t b = hil_load_int(row->b, dtype, i * row->b_step);
        y[i] = a < b ? truth->less : a == b ? truth->equal : truth->greater;
    }
}

static hil_status_t compare(hil_op_context_t *op, truth_t truth)
{
    hil_broadcast_rows(op, compare_row, &truth);
    return HIL_OK;
}

static hil_status_t eval_equal(hil_op_context_t *op)
{
    return compare(op, (truth_t){0, 1, 0});
}

static hil_status_t eval_greater(hil_op_context_t *op)
{
    return compare(op, (truth_t){0, 0, 1});
}

static hil_status_t eval_greaterorequal(hil_op_context_t *op)
{
    return compare(op, (truth_t){0, 1, 1});
}

static hil_status_t eval_less(hil_op_context_t *op)
{
    return compare(op, (truth_t){1, 0, 0});
}

static hil_status_t eval_lessorequal(hil_op_context_t *op)
{
    return compare(op, (truth_t){1, 1, 0});
}

const hil_op_t hil_op_equal = {.type = "Equal", .prepare = prepare, .eval = eval_equal};
const hil_op_t hil_op_greater = {.type = "Greater", .prepare = prepare, .eval = eval_greater};
const hil_op_t hil_op_greaterorequal = {
    .type = "GreaterOrEqual", .prepare = prepare, .eval = eval_greaterorequal};
const hil_op_t hil_op_less = {.type = "Less", .prepare = prepare, .eval = eval_less};
const hil_op_t hil_op_lessorequal = {
    .type = "LessOrEqual", .prepare = prepare, .eval = eval_lessorequal};
