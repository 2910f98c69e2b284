/* GlobalAveragePool: an average whose kernel is the whole image. */
#include "hil_pool.h"

const hil_op_t hil_op_globalaveragepool = {
    .type = "GlobalAveragePool", .prepare = hil_pool_prepare_global, .eval = hil_pool_eval_average};
