/* Every operator of this engine, once. */
#include "hil_op.h"

/* X(name of the hil_op_t without its prefix) */
#define HIL_OPS(X)                                                                                 \
    X(add)                                                                                         \
    X(averagepool)                                                                                 \
    X(clip)                                                                                        \
    X(concat)                                                                                      \
    X(conv)                                                                                        \
    X(depthtospace)                                                                                \
    X(dequantizelinear)                                                                            \
    X(div)                                                                                         \
    X(elu)                                                                                         \
    X(equal)                                                                                       \
    X(exp)                                                                                         \
    X(flatten)                                                                                     \
    X(gather)                                                                                      \
    X(gelu)                                                                                        \
    X(gemm)                                                                                        \
    X(globalaveragepool)                                                                           \
    X(greater)                                                                                     \
    X(greaterorequal)                                                                              \
    X(gru)                                                                                         \
    X(hardsigmoid)                                                                                 \
    X(hardswish)                                                                                   \
    X(identity)                                                                                    \
    X(insertzeros)                                                                                 \
    X(layernormalization)                                                                          \
    X(leakyrelu)                                                                                   \
    X(less)                                                                                        \
    X(lessorequal)                                                                                 \
    X(log)                                                                                         \
    X(logsoftmax)                                                                                  \
    X(lpnormalization)                                                                             \
    X(lstm)                                                                                        \
    X(lut)                                                                                         \
    X(matmul)                                                                                      \
    X(maxpool)                                                                                     \
    X(mod)                                                                                         \
    X(mul)                                                                                         \
    X(neg)                                                                                         \
    X(pad)                                                                                         \
    X(pow)                                                                                         \
    X(prelu)                                                                                       \
    X(quantizelinear)                                                                              \
    X(reducel1)                                                                                    \
    X(reducel2)                                                                                    \
    X(reducelogsum)                                                                                \
    X(reducelogsumexp)                                                                             \
    X(reducemax)                                                                                   \
    X(reducemean)                                                                                  \
    X(reducemin)                                                                                   \
    X(reduceprod)                                                                                  \
    X(reducesum)                                                                                   \
    X(reducesumsquare)                                                                             \
    X(relu)                                                                                        \
    X(requantizelinear)                                                                            \
    X(reshape)                                                                                     \
    X(resize)                                                                                      \
    X(reversesequence)                                                                             \
    X(rmsnormalization)                                                                            \
    X(scatternd)                                                                                   \
    X(sigmoid)                                                                                     \
    X(slice)                                                                                       \
    X(softmax)                                                                                     \
    X(spacetodepth)                                                                                \
    X(split)                                                                                       \
    X(sqrt)                                                                                        \
    X(squeeze)                                                                                     \
    X(streamingcache)                                                                              \
    X(sub)                                                                                         \
    X(swish)                                                                                       \
    X(tanh)                                                                                        \
    X(transpose)                                                                                   \
    X(unsqueeze)

#define DECLARE(name) extern const hil_op_t hil_op_##name;
HIL_OPS(DECLARE)

#define ENTRY(name) &hil_op_##name,
static const hil_op_t *const all_ops[] = {HIL_OPS(ENTRY)};

const hil_op_t *hil_ops_find(hil_name_t type)
{
    for (size_t i = 0; i < sizeof all_ops / sizeof all_ops[0]; i++) {
        if (hil_name_is(type, all_ops[i]->type)) {
            return all_ops[i];
        }
    }
    return NULL;
}
