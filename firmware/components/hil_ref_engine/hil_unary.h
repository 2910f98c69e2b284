/*
 * Elementwise operators of one input.
 *
 * int8 with a `lut` attribute: the table decides. Otherwise, and for int16 always (the chip ignores
 * its table): clip(round(f(q * 2^e_in) * 2^-e_out)) in float32. Float: f.
 * Source: ESP-DL 12c0616 dl_module_*.hpp of the activations, dl_module_lut.hpp.
 */
#ifndef HIL_UNARY_H
#define HIL_UNARY_H

#include "hil_op.h"

typedef struct {
    const int8_t *table; /* 256 entries, or NULL */
    float alpha;         /* attributes of the operators that have them */
    float beta;
} hil_unary_t;

typedef float (*hil_unary_function_t)(const hil_unary_t *unary, float x);

/* Checks types, finds the table, keeps a hil_unary_t in the node's data. */
HIL_CHECK_RESULT hil_status_t hil_unary_prepare(hil_op_context_t *op);
/* The same with the attributes `alpha` and `beta` and their defaults. */
HIL_CHECK_RESULT hil_status_t hil_unary_prepare_with(hil_op_context_t *op, float alpha, float beta);
HIL_CHECK_RESULT hil_status_t hil_unary_eval(hil_op_context_t *op, hil_unary_function_t function);
/* Writes table[q + 128] for every element; false where the node has no table. */
bool hil_unary_eval_table(hil_op_context_t *op);

/* 1 / (1 + e^-x) as the kernels write it. */
float hil_sigmoidf(float x);

#endif
