/*
 * GRU with linear_before_reset, gates z, r, n.
 *
 * The biases are added to the 16-bit gates with wrap-around, as on the board. Source: ESP-DL
 * 12c0616 dl_module_gru.hpp.
 */
#include "hil_rnn.h"
#include "hil_unary.h"

static hil_status_t prepare(hil_op_context_t *op)
{
    if (hil_op_int(op, "linear_before_reset", 0) != 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "linear_before_reset must be 1");
    }
    return hil_rnn_prepare(op, 3);
}

static void add_wrapping(int16_t *gates, const int16_t *bias, uint32_t count)
{
    for (uint32_t i = 0; bias != NULL && i < count; i++) {
        gates[i] = (int16_t)hil_wrap_bits((int64_t)gates[i] + bias[i], 16);
    }
}

static void cell_ints(const hil_op_context_t *op, const hil_rnn_t *rnn, const hil_rnn_step_t *step)
{
    uint32_t hidden = rnn->hidden;
    uint32_t rows = 3 * hidden;
    hil_dtype_t dtype = hil_op_input(op, 0)->dtype;
    float rescale = hil_exp2f(-hil_op_output(op, 0)->exponent);
    hil_rnn_dot(op, step->w, step->x, rnn->input_size, rows, rnn->input_shift, step->input_gates);
    hil_rnn_dot(op, step->r, step->h, hidden, rows, rnn->recurrent_shift, step->recurrent_gates);
    add_wrapping(step->input_gates, step->input_bias, rows);
    add_wrapping(step->recurrent_gates, step->recurrent_bias, rows);
    for (uint32_t i = 0; i < hidden; i++) {
        int32_t z_index = step->input_gates[i] + step->recurrent_gates[i];
        int32_t r_index = step->input_gates[hidden + i] + step->recurrent_gates[hidden + i];
        float z = hil_rnn_sigmoid(z_index, rnn->gate_exponent);
        float r = hil_rnn_sigmoid(r_index, rnn->gate_exponent);
        float candidate = (float)step->input_gates[2 * hidden + i] +
                          r * (float)step->recurrent_gates[2 * hidden + i];
        float n = hil_rnn_tanh(hil_round_f32(candidate, op->rounding), rnn->gate_exponent);
        float h = (1.0f - z) * n * rescale;
        h += z * (float)hil_load_int(step->h, dtype, i);
        hil_store_int(step->h, dtype, i, hil_quantize(h, dtype, op->rounding));
    }
}

static void cell_floats(const hil_op_context_t *op, const hil_rnn_t *rnn,
                        const hil_rnn_step_t *step)
{
    uint32_t hidden = rnn->hidden;
    float *a = step->input_gates_float;
    float *b = step->recurrent_gates_float;
    float *h = step->h;
    (void)op;
    hil_rnn_dot_float(step->w, step->x, rnn->input_size, 3 * hidden, a);
    hil_rnn_dot_float(step->r, h, hidden, 3 * hidden, b);
    for (uint32_t i = 0; step->input_bias_float != NULL && i < 3 * hidden; i++) {
        a[i] += step->input_bias_float[i];
        b[i] += step->recurrent_bias_float[i];
    }
    for (uint32_t i = 0; i < hidden; i++) {
        float z = hil_sigmoidf(a[i] + b[i]);
        float r = hil_sigmoidf(a[hidden + i] + b[hidden + i]);
        float n = hil_rnn_tanhf(a[2 * hidden + i] + r * b[2 * hidden + i]);
        h[i] = (1.0f - z) * n + z * h[i];
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    hil_rnn_run(op, hil_op_input(op, 0)->dtype == HIL_FLOAT ? cell_floats : cell_ints);
    return HIL_OK;
}

const hil_op_t hil_op_gru = {.type = "GRU", .prepare = prepare, .eval = eval};
