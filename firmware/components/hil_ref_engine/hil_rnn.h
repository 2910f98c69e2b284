/*
 * What GRU and LSTM share: geometry, dot products into 16-bit gates, gate functions.
 *
 * Integer layers: X, W, R, h of one type (int8 or int16); gates, bias and cell state int16 at the
 * gate exponent. Batch 1. Source: ESP-DL 12c0616 dl_module_gru.hpp, dl_module_lstm.hpp,
 * dl_base_dotprod.cpp, dl_math.hpp (`SigmoidLUT`, `TanhLUT`).
 */
#ifndef HIL_RNN_H
#define HIL_RNN_H

#include "hil_op.h"

typedef struct {
    uint32_t gates; /* 3 GRU, 4 LSTM */
    uint32_t hidden;
    uint32_t directions; /* 1, or 2: the second one walks backwards */
    uint32_t steps;
    uint32_t input_size;
    int32_t gate_exponent;
    int32_t input_shift;     /* gate exponent less that of W x */
    int32_t recurrent_shift; /* gate exponent less that of R h */
} hil_rnn_t;

/* Inputs X, W, R, B, sequence lengths (refused), initial h, initial c; outputs Y, Y_h, Y_c. */
HIL_CHECK_RESULT hil_status_t hil_rnn_prepare(hil_op_context_t *op, uint32_t gates);

/* One step's pointers, of either type. */
typedef struct {
    const void *x;
    const void *w;
    const void *r;
    const int16_t *input_bias; /* NULL without bias; gates * hidden each */
    const int16_t *recurrent_bias;
    const float *input_bias_float;
    const float *recurrent_bias_float;
    void *h;              /* [hidden], the layer's type; state in, state out */
    void *c;              /* [hidden] int16 or float, LSTM */
    void *y;              /* [hidden], where this step's output goes */
    int16_t *input_gates; /* [gates * hidden] scratch */
    int16_t *recurrent_gates;
    float *input_gates_float;
    float *recurrent_gates_float;
} hil_rnn_step_t;

typedef void (*hil_rnn_cell_t)(const hil_op_context_t *op, const hil_rnn_t *rnn,
                               const hil_rnn_step_t *step);

/* Runs a cell over all directions and steps. */
void hil_rnn_run(hil_op_context_t *op, hil_rnn_cell_t cell);

/* result[i] = clip16(round(row_i . vector / 2^shift)) for all gates, as the target's kernel does.
 */
void hil_rnn_dot(const hil_op_context_t *op, const void *matrix, const void *vector,
                 uint32_t length, uint32_t rows, int32_t shift, int16_t *result);
void hil_rnn_dot_float(const float *matrix, const float *vector, uint32_t length, uint32_t rows,
                       float *result);

/* The tables of the gates: they stop at |x| about 6.3 and 3.5. */
float hil_rnn_sigmoid(int32_t index, int32_t exponent);
float hil_rnn_tanh(int32_t index, int32_t exponent);
float hil_rnn_tanhf(float x);

#endif
