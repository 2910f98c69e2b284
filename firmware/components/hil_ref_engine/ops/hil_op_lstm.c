/*
 * LSTM, gates i, o, f, g. The 16-bit gates and the cell state wrap around, as on the board.
 *
 * Source: ESP-DL 12c0616 dl_module_lstm.hpp.
 */
#include "hil_rnn.h"
#include "hil_unary.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    if (hil_op_int(op, "input_forget", 0) != 0) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "input_forget");
    }
    return hil_rnn_prepare(op, 4);
}

static void cell_ints(const hil_op_context_t *op, const hil_rnn_t *rnn, const hil_rnn_step_t *step)
{
    uint32_t hidden = rnn->hidden;
    uint32_t rows = 4 * hidden;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    float rescale_y = hil_exp2f(-hil_op_output(op, 0)->exponent);
    float rescale_c = hil_exp2f(-hil_op_output(op, 2)->exponent);
    int16_t *gates = step->input_gates;
    int16_t *c = step->c;
    hil_rnn_dot(op, step->w, step->x, rnn->input_size, rows, rnn->input_shift, gates);
    hil_rnn_dot(op, step->r, step->h, hidden, rows, rnn->recurrent_shift, step->recurrent_gates);
    for (uint32_t i = 0; i < rows; i++) {
        int64_t sum = (int64_t)gates[i] + step->recurrent_gates[i];
        if (step->input_bias != NULL) {
            sum += step->input_bias[i] + step->recurrent_bias[i];
        }
        gates[i] = (int16_t)hil_wrap_bits(sum, 16);
    }
    for (uint32_t i = 0; i < hidden; i++) {
        float in = hil_rnn_sigmoid(gates[i], rnn->gate_exponent);
        float out = hil_rnn_sigmoid(gates[hidden + i], rnn->gate_exponent);
        float forget = hil_rnn_sigmoid(gates[2 * hidden + i], rnn->gate_exponent);
        float candidate = hil_rnn_tanh(gates[3 * hidden + i], rnn->gate_exponent);
        float state = forget * (float)c[i] + in * candidate * rescale_c;
        c[i] = (int16_t)hil_wrap_bits(hil_round_f32(state, op->rounding), 16);
        float h = out * hil_rnn_tanh(c[i], rnn->gate_exponent) * rescale_y;
        hil_store_int(step->h, dtype, i, hil_quantize(h, dtype, op->rounding));
    }
}

static void cell_floats(const hil_op_context_t *op, const hil_rnn_t *rnn,
                        const hil_rnn_step_t *step)
{
    uint32_t hidden = rnn->hidden;
    float *gates = step->input_gates_float;
    float *c = step->c;
    float *h = step->h;
    (void)op;
    hil_rnn_dot_float(step->w, step->x, rnn->input_size, 4 * hidden, gates);
    hil_rnn_dot_float(step->r, h, hidden, 4 * hidden, step->recurrent_gates_float);
    for (uint32_t i = 0; i < 4 * hidden; i++) {
        gates[i] += step->recurrent_gates_float[i];
        if (step->input_bias_float != NULL) {
            gates[i] += step->input_bias_float[i] + step->recurrent_bias_float[i];
        }
    }
    for (uint32_t i = 0; i < hidden; i++) {
        float in = hil_sigmoidf(gates[i]);
        float out = hil_sigmoidf(gates[hidden + i]);
        float forget = hil_sigmoidf(gates[2 * hidden + i]);
        c[i] = forget * c[i] + in * hil_rnn_tanhf(gates[3 * hidden + i]);
        h[i] = out * hil_rnn_tanhf(c[i]);
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_rnn_run(op, hil_op_input(op, 0)->dtype == HIL_FLOAT ? cell_floats : cell_ints);
    return HIL_OK;
}

const hil_op_t hil_op_lstm = {.type = "LSTM", .prepare = prepare, .eval = eval};
