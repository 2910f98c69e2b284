/* Operators that are their table. */
#include "hil_lut.h"

typedef struct {
    const void *table;
    uint32_t last;  /* index of the last entry */
    uint32_t shift; /* log2 of the step */
} lut_t;

static hil_status_t find_step(hil_op_context_t *op, const hil_value_t *table, lut_t *lut)
{
    uint32_t steps = table->count == 65536 ? 65536 : table->count - 1;
    while (lut->shift < 16 && (65536u >> lut->shift) > steps) {
        lut->shift++;
    }
    if (table->count < 2 || (65536u >> lut->shift) != steps) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "size of the int16 table");
    }
    return HIL_OK;
}

hil_status_t hil_lut_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *table = hil_op_table(op);
    HIL_TRY(hil_op_require_numeric(op, input, false));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    if (table == NULL || table->dtype != input->dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "no table of the input's type");
    }
    if (table->exponent != hil_op_output(op, 0)->exponent) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "exponents of table and output differ");
    }
    lut_t *lut = hil_op_alloc(op, sizeof *lut);
    if (lut == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = lut;
    lut->table = table->data;
    lut->last = table->count - 1;
    if (input->dtype == HIL_INT16) {
        HIL_TRY(find_step(op, table, lut));
    } else if (table->count != 256) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "size of the int8 table");
    }
    return hil_op_set_shape(op, 0, input->rank, input->dims);
}

hil_status_t hil_lut_eval(hil_op_context_t *op)
{
    const lut_t *lut = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    void *y = hil_op_output_data(op, 0);
    int32_t low = hil_int_min(input->dtype);
    for (uint32_t i = 0; i < input->count; i++) {
        int32_t from_low = hil_load_int(input->data, input->dtype, i) - low;
        uint32_t entry = (uint32_t)hil_shift_round(from_low, lut->shift, op->rounding);
        entry = entry < lut->last ? entry : lut->last;
        hil_store_int(y, input->dtype, i, hil_load_int(lut->table, input->dtype, entry));
    }
    return HIL_OK;
}
