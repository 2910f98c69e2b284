/* AveragePool: padding adds zeros to the sum, the divisor is the whole kernel's area. */
#include "hil_pool.h"

const hil_op_t hil_op_averagepool = {
    .type = "AveragePool", .prepare = hil_pool_prepare, .eval = hil_pool_eval_average};
