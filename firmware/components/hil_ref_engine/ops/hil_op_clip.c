/*
 * Clip: bounds are raw integers at the input's exponent; then rescaled to the output's.
 *
 * int8 with a table: the table decides. Without bounds: a requantization, with its limits. A float
 * Clip without a lower bound is refused: the board takes the smallest positive float for it.
 * Source: ESP-DL 12c0616 dl_module_clip.hpp.
 */
#include <float.h>

#include "hil_requantize.h"
#include "hil_unary.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_unary_prepare(op));
    for (uint32_t i = 1; i < 3; i++) {
        const hil_value_t *bound = hil_op_input(op, i);
        if (bound != NULL && (bound->dtype != hil_op_input(op, 0)->dtype || bound->count != 1)) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "a bound is not one number of the input's type");
        }
    }
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_unary_t *unary = op->node->data;
    if (op->node->input_count == 1 && unary->table == NULL) {
        return hil_requantize_check(op, input, hil_op_output(op, 0));
    }
    if (op->node->input_count > 1 && input->dtype == HIL_FLOAT && hil_op_input(op, 1) == NULL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "float without a lower bound: negatives would be lost");
    }
    return HIL_OK;
}

static void clip_ints(hil_op_context_t *op, const hil_value_t *low, const hil_value_t *high)
{
    const hil_value_t *input = hil_op_input(op, 0);
    hil_dtype_t dtype = input->dtype;
    void *y = hil_op_output_data(op, 0);
    int32_t least = low == NULL ? hil_int_min(dtype) : hil_load_int(low->data, dtype, 0);
    int32_t most = high == NULL ? hil_int_max(dtype) : hil_load_int(high->data, dtype, 0);
    float rescale = hil_exp2f(input->exponent) * hil_exp2f(-hil_op_output(op, 0)->exponent);
    for (uint32_t i = 0; i < input->count; i++) {
        int32_t q = hil_clamp_s32(hil_load_int(input->data, dtype, i), least, most);
        hil_store_int(y, dtype, i, hil_quantize((float)q * rescale, dtype, op->rounding));
    }
}

static void clip_floats(hil_op_context_t *op, const hil_value_t *low, const hil_value_t *high)
{
    const hil_value_t *input = hil_op_input(op, 0);
    const float *x = input->data;
    float *y = hil_op_output_data(op, 0);
    float least = *(const float *)low->data;
    float most = high == NULL ? FLT_MAX : *(const float *)high->data;
    for (uint32_t i = 0; i < input->count; i++) {
        y[i] = x[i] < least ? least : x[i] > most ? most : x[i];
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    if (hil_unary_eval_table(op)) {
        return HIL_OK;
    }
    const hil_value_t *low = hil_op_input(op, 1);
    const hil_value_t *high = hil_op_input(op, 2);
    if (op->node->input_count == 1) {
        hil_requantize(op, hil_op_input(op, 0), hil_op_output(op, 0), hil_op_output_data(op, 0));
    } else if (hil_op_input(op, 0)->dtype == HIL_FLOAT) {
        clip_floats(op, low, high);
    } else {
        clip_ints(op, low, high);
    }
    return HIL_OK;
}

const hil_op_t hil_op_clip = {.type = "Clip", .prepare = prepare, .eval = eval};
