/*
 * From one type and exponent to another: `TensorBase::assign` of ESP-DL.
 *
 * Source: ESP-DL 12c0616 dl_tensor_base.cpp, dl_base_requantize_linear.cpp.
 */
#ifndef HIL_REQUANTIZE_H
#define HIL_REQUANTIZE_H

#include "hil_op.h"

/* Whether ESP-DL's kernels of this family convert correctly; refuses where they do not. */
HIL_CHECK_RESULT hil_status_t hil_requantize_check(hil_op_context_t *op, const hil_value_t *input,
                                                   const hil_value_t *output);
/* Both values have the same number of elements. */
void hil_requantize(const hil_op_context_t *op, const hil_value_t *input, const hil_value_t *output,
                    void *result);

/* QuantizeLinear, DequantizeLinear, RequantizeLinear; their scale and zero point are not read. */
HIL_CHECK_RESULT hil_status_t hil_requantize_prepare(hil_op_context_t *op);
HIL_CHECK_RESULT hil_status_t hil_requantize_eval(hil_op_context_t *op);

#endif
