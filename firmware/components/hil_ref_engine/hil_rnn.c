/* What GRU and LSTM share. */
#include "hil_rnn.h"

#include <string.h>

#include "hil_lanes.h"
#include "hil_unary.h"

enum { INPUT_X, INPUT_W, INPUT_R, INPUT_B, INPUT_LENGTHS, INPUT_H, INPUT_C };

/* --- preparing -------------------------------------------------------------------------------- */

static bool has_dims(const hil_value_t *value, uint32_t a, uint32_t b, uint32_t c)
{
    return value->rank == 3 && value->dims[0] == a && value->dims[1] == b && value->dims[2] == c;
}

static hil_status_t check_weights(hil_op_context_t *op, const hil_rnn_t *rnn)
{
    hil_dtype_t dtype = hil_op_input(op, INPUT_X)->dtype;
    hil_dtype_t gate_dtype = dtype == HIL_FLOAT ? HIL_FLOAT : HIL_INT16;
    const hil_value_t *w = hil_op_input(op, INPUT_W);
    const hil_value_t *r = hil_op_input(op, INPUT_R);
    const hil_value_t *b = hil_op_input(op, INPUT_B);
    const hil_value_t *h = hil_op_input(op, INPUT_H);
    const hil_value_t *c = hil_op_input(op, INPUT_C);
    uint32_t rows = rnn->gates * rnn->hidden;
    if (!has_dims(w, rnn->directions, rows, rnn->input_size) ||
        !has_dims(r, rnn->directions, rows, rnn->hidden)) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "W or R");
    }
    if (w->dtype != dtype || r->dtype != dtype || w->exponents.count > 1 ||
        r->exponents.count > 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element type or exponents of W or R");
    }
    if (b != NULL && (b->dtype != gate_dtype || b->count != rnn->directions * 2 * rows)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "type or size of B");
    }
    if (hil_op_input(op, INPUT_LENGTHS) != NULL) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "sequence lengths");
    }
    uint32_t state = rnn->directions * rnn->hidden;
    if ((h != NULL && (h->dtype != dtype || h->count != state)) ||
        (c != NULL && (c->dtype != gate_dtype || c->count != state))) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "type or size of an initial state");
    }
    return HIL_OK;
}

static hil_status_t set_outputs(hil_op_context_t *op, const hil_rnn_t *rnn)
{
    hil_dtype_t dtype = hil_op_input(op, INPUT_X)->dtype;
    uint32_t y[4] = {rnn->steps, rnn->directions, 1, rnn->hidden};
    uint32_t state[3] = {rnn->directions, 1, rnn->hidden};
    HIL_TRY(hil_op_set_shape(op, 0, 4, y));
    HIL_TRY(hil_op_set_shape(op, 1, 3, state));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    HIL_TRY(hil_op_require_same_dtype(op, 1));
    if (rnn->gates == 3) {
        return HIL_OK;
    }
    HIL_TRY(hil_op_set_shape(op, 2, 3, state));
    const hil_value_t *c = hil_op_output(op, 2);
    if (dtype == HIL_FLOAT ? c->dtype != HIL_FLOAT
                           : c->dtype != HIL_INT16 || c->exponent != rnn->gate_exponent) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "Y_c is not int16 at the gate exponent");
    }
    return HIL_OK;
}

static bool is_vector_dot(hil_kernels_t kernels, hil_dtype_t dtype, uint32_t length, int32_t shift)
{
    return kernels != HIL_KERNELS_C && shift >= 0 && length % (dtype == HIL_INT8 ? 16 : 8) == 0;
}

static hil_status_t prepare_shifts(hil_op_context_t *op, hil_rnn_t *rnn)
{
    const hil_value_t *x = hil_op_input(op, INPUT_X);
    if (x->dtype == HIL_FLOAT) {
        return HIL_OK;
    }
    rnn->input_shift = rnn->gate_exponent - (x->exponent + hil_op_input(op, INPUT_W)->exponent);
    rnn->recurrent_shift =
        rnn->gate_exponent - (hil_op_output(op, 1)->exponent + hil_op_input(op, INPUT_R)->exponent);
    if ((rnn->input_shift > 31 &&
         is_vector_dot(op->kernels, x->dtype, rnn->input_size, rnn->input_shift)) ||
        (rnn->recurrent_shift > 31 &&
         is_vector_dot(op->kernels, x->dtype, rnn->hidden, rnn->recurrent_shift))) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "dot product shifted by more than 31 bits");
    }
    return HIL_OK;
}

/* Elements of scratch: gates of W x and of R h, the states h and c; 4 bytes hold any of them. */
static size_t scratch_elements(const hil_rnn_t *rnn)
{
    return ((size_t)2 * rnn->gates + 2) * rnn->hidden;
}

hil_status_t hil_rnn_prepare(hil_op_context_t *op, uint32_t gates)
{
    HIL_TRY(hil_op_expect(op, 3, 7, gates == 3 ? 2 : 3));
    const hil_value_t *x = hil_op_input(op, INPUT_X);
    HIL_TRY(hil_op_require_numeric(op, x, true));
    hil_rnn_t *rnn = hil_op_alloc(op, sizeof *rnn);
    if (rnn == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = rnn;
    int64_t hidden = hil_op_int(op, "hidden_size", 0);
    int64_t exponent = hil_op_int(op, "gate_exponent", -8);
    hil_name_t direction = hil_op_string(op, "direction", "forward");
    bool both = hil_name_is(direction, "bidirectional");
    if (!both && !hil_name_is(direction, "forward")) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "direction other than forward and bidirectional");
    }
    uint32_t batch_axis = hil_op_int(op, "layout", 0) == 0 ? 1 : 0;
    if (x->rank != 3 || x->dims[batch_axis] != 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "batch above 1");
    }
    if (hidden < 1 || hidden > 0xffff || exponent < -15 || exponent > 0) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "hidden_size or gate_exponent");
    }
    rnn->gates = gates;
    rnn->hidden = (uint32_t)hidden;
    rnn->directions = both ? 2 : 1;
    rnn->steps = x->dims[1 - batch_axis];
    rnn->input_size = x->dims[2];
    rnn->gate_exponent = (int32_t)exponent;
    HIL_TRY(check_weights(op, rnn));
    HIL_TRY(set_outputs(op, rnn));
    HIL_TRY(prepare_shifts(op, rnn));
    hil_op_want_scratch(op, scratch_elements(rnn) * sizeof(float));
    return HIL_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static const void *at(const hil_value_t *value, size_t element)
{
    return (const uint8_t *)value->data + element * hil_dtype_size(value->dtype);
}

static void set_state(void *state, const hil_value_t *initial, uint32_t direction, uint32_t count,
                      uint32_t size)
{
    if (initial == NULL) {
        memset(state, 0, (size_t)count * size);
    } else {
        memcpy(state, at(initial, (size_t)direction * count), (size_t)count * size);
    }
}

static void set_bias(hil_rnn_step_t *step, const hil_value_t *bias, size_t rows, uint32_t direction)
{
    if (bias == NULL) {
        return;
    }
    const void *input = at(bias, direction * 2 * rows);
    const void *recurrent = at(bias, (direction * 2 + 1) * rows);
    if (bias->dtype == HIL_FLOAT) {
        step->input_bias_float = input;
        step->recurrent_bias_float = recurrent;
    } else {
        step->input_bias = input;
        step->recurrent_bias = recurrent;
    }
}

void hil_rnn_run(hil_op_context_t *op, hil_rnn_cell_t cell)
{
    const hil_rnn_t *rnn = op->node->data;
    const hil_value_t *x = hil_op_input(op, INPUT_X);
    uint32_t size = hil_dtype_size(x->dtype);
    uint32_t cell_size = x->dtype == HIL_FLOAT ? 4 : 2;
    size_t rows = (size_t)rnn->gates * rnn->hidden;
    float *scratch = hil_op_scratch(op);
    hil_rnn_step_t step = {.h = scratch + 2 * rows, .c = scratch + 2 * rows + rnn->hidden};
    step.input_gates_float = scratch;
    step.recurrent_gates_float = scratch + rows;
    step.input_gates = hil_op_scratch(op);
    step.recurrent_gates = step.input_gates + rows;
    for (uint32_t d = 0; d < rnn->directions; d++) {
        step.w = at(hil_op_input(op, INPUT_W), d * rows * rnn->input_size);
        step.r = at(hil_op_input(op, INPUT_R), d * rows * rnn->hidden);
        set_bias(&step, hil_op_input(op, INPUT_B), rows, d);
        set_state(step.h, hil_op_input(op, INPUT_H), d, rnn->hidden, size);
        set_state(step.c, hil_op_input(op, INPUT_C), d, rnn->hidden, cell_size);
        for (uint32_t s = 0; s < rnn->steps; s++) {
            uint32_t time = d == 0 ? s : rnn->steps - 1 - s;
            step.x = at(x, (size_t)time * rnn->input_size);
            step.y = (uint8_t *)hil_op_output_data(op, 0) +
                     ((size_t)time * rnn->directions + d) * rnn->hidden * size;
            cell(op, rnn, &step);
            memcpy(step.y, step.h, (size_t)rnn->hidden * size);
        }
        memcpy((uint8_t *)hil_op_output_data(op, 1) + (size_t)d * rnn->hidden * size, step.h,
               (size_t)rnn->hidden * size);
        if (rnn->gates == 4) {
            memcpy((uint8_t *)hil_op_output_data(op, 2) + (size_t)d * rnn->hidden * cell_size,
                   step.c, (size_t)rnn->hidden * cell_size);
        }
    }
}

static int64_t exact_dot(hil_dtype_t dtype, const void *a, const void *b, uint32_t length)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < length; i++) {
        sum += (int64_t)hil_load_int(a, dtype, i) * hil_load_int(b, dtype, i);
    }
    return sum;
}

/* The vector kernels sum in the 40-bit scalar accumulator; esp32s3 starts it at half a unit. */
static int64_t vector_dot(const hil_op_context_t *op, hil_dtype_t dtype, const void *a,
                          const void *b, uint32_t length, uint32_t shift)
{
    bool half_first = op->kernels == HIL_KERNELS_S3 && op->rounding == HIL_ROUND_HALF_UP;
    int64_t start = half_first && shift > 0 ? (int64_t)1 << (shift - 1) : 0;
    int64_t sum = dtype == HIL_INT8 ? hil_mac_scalar_s8_40bit(start, a, b, length)
                                    : hil_mac_scalar_s16_40bit(start, a, b, length);
    return hil_shift_round(sum, shift, half_first ? HIL_ROUND_DOWN : op->rounding);
}

void hil_rnn_dot(const hil_op_context_t *op, const void *matrix, const void *vector,
                 uint32_t length, uint32_t rows, int32_t shift, int16_t *result)
{
    hil_dtype_t dtype = hil_op_input(op, INPUT_X)->dtype;
    bool is_vector = is_vector_dot(op->kernels, dtype, length, shift);
    float scale = hil_exp2f(-shift);
    const uint8_t *row = matrix;
    for (uint32_t i = 0; i < rows; i++, row += (size_t)length * hil_dtype_size(dtype)) {
        int64_t value;
        if (is_vector) {
            value = vector_dot(op, dtype, row, vector, length, (uint32_t)shift);
        } else {
            /* The C kernels turn the exact sum into a float, 24 bits, before they round. */
            value =
                hil_round_f32((float)exact_dot(dtype, row, vector, length) * scale, op->rounding);
        }
        result[i] = hil_saturate_s16(value);
    }
}

void hil_rnn_dot_float(const float *matrix, const float *vector, uint32_t length, uint32_t rows,
                       float *result)
{
    for (uint32_t i = 0; i < rows; i++, matrix += length) {
        result[i] = 0.0f;
        for (uint32_t j = 0; j < length; j++) {
            result[i] += matrix[j] * vector[j];
        }
    }
}

/* --- gate functions --------------------------------------------------------------------------- */

/* Magnitude of the table index, stopped at the table's end. */
static int32_t table_index(int32_t index, float bound, float scale)
{
    int32_t last = (int32_t)(bound / scale) + 1;
    int32_t magnitude = index < 0 ? -index : index;
    return magnitude < last ? magnitude : last;
}

float hil_rnn_tanhf(float x)
{
    return 2.0f * hil_sigmoidf(2.0f * x) - 1.0f;
}

float hil_rnn_sigmoid(int32_t index, int32_t exponent)
{
    float scale = hil_exp2f(exponent);
    float value = hil_sigmoidf((float)table_index(index, 6.3f, scale) * scale);
    return index < 0 ? 1.0f - value : value;
}

float hil_rnn_tanh(int32_t index, int32_t exponent)
{
    float scale = hil_exp2f(exponent);
    float value = hil_rnn_tanhf((float)table_index(index, 3.5f, scale) * scale);
    return index < 0 ? -value : value;
}
