/* Elementwise operators of one input. */
#include "hil_unary.h"

static hil_status_t find_table(hil_op_context_t *op, hil_unary_t *unary)
{
    const hil_value_t *table = hil_op_table(op);
    if (table == NULL || hil_op_input(op, 0)->dtype != HIL_INT8) {
        return HIL_OK;
    }
    if (table->dtype != HIL_INT8 || table->count != 256) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "table is not of 256 int8");
    }
    if (table->exponent != hil_op_output(op, 0)->exponent) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "exponents of table and output differ");
    }
    unary->table = table->data;
    return HIL_OK;
}

hil_status_t hil_unary_prepare_with(hil_op_context_t *op, float alpha, float beta)
{
    HIL_TRY(hil_op_expect(op, 1, 3, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    hil_unary_t *unary = hil_op_alloc(op, sizeof *unary);
    if (unary == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    unary->alpha = hil_op_float(op, "alpha", alpha);
    unary->beta = hil_op_float(op, "beta", beta);
    op->node->data = unary;
    HIL_TRY(find_table(op, unary));
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

hil_status_t hil_unary_prepare(hil_op_context_t *op)
{
    return hil_unary_prepare_with(op, 0.0f, 0.0f);
}

bool hil_unary_eval_table(hil_op_context_t *op)
{
    const hil_unary_t *unary = op->node->data;
    if (unary->table == NULL) {
        return false;
    }
    const hil_value_t *input = hil_op_input(op, 0);
    const int8_t *x = input->data;
    int8_t *y = hil_op_output_data(op, 0);
    for (uint32_t i = 0; i < input->count; i++) {
        y[i] = unary->table[x[i] + 128];
    }
    return true;
}

hil_status_t hil_unary_eval(hil_op_context_t *op, hil_unary_function_t function)
{
    if (hil_unary_eval_table(op)) {
        return HIL_OK;
    }
    const hil_unary_t *unary = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    void *result = hil_op_output_data(op, 0);
    if (input->dtype == HIL_FLOAT) {
        const float *x = input->data;
        float *y = result;
        for (uint32_t i = 0; i < input->count; i++) {
            y[i] = function(unary, x[i]);
        }
        return HIL_OK;
    }
    float scale = hil_exp2f(input->exponent);
    float rescale = hil_exp2f(-output->exponent);
    for (uint32_t i = 0; i < input->count; i++) {
        float x = (float)hil_load_int(input->data, input->dtype, i) * scale;
        float y = function(unary, x) * rescale;
        hil_store_int(result, input->dtype, i, hil_quantize(y, input->dtype, op->rounding));
    }
    return HIL_OK;
}

float hil_sigmoidf(float x)
{
    return (float)(1.0 / (1.0 + (double)expf(-x)));
}
