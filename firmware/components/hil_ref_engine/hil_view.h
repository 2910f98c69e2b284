/*
 * Operators that give the same bytes another shape.
 *
 * The output shares the input's memory where the input is not a constant. Source: ESP-DL 12c0616
 * dl_module_flatten.hpp, dl_module_reshape.hpp, dl_module_squeeze.hpp, dl_module_unsqueeze.hpp.
 */
#ifndef HIL_VIEW_H
#define HIL_VIEW_H

#include "hil_op.h"

HIL_CHECK_RESULT hil_status_t hil_view_prepare(hil_op_context_t *op, uint32_t rank,
                                               const uint32_t *dims);
/* Marks the axes that input 1 names, of `rank` ones. */
HIL_CHECK_RESULT hil_status_t hil_view_axes(hil_op_context_t *op, uint32_t rank, bool *marked,
                                            uint32_t *count);
HIL_CHECK_RESULT hil_status_t hil_view_eval(hil_op_context_t *op);

#endif
