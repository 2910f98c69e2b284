/* The bounded walk over a model file, by the reader of the reference engine. */
#include "hil_espdl_preflight.h"

#include <string.h>

#include "hil_espdl.h"

/* Registered by ESP-DL 3.3.6 to 3.3.9 (12c0616), dl_module_creator.hpp: register_dl_modules.
 * Sorted. */
static const char *const OPERATORS[] = {
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Elu",
    "Equal",
    "Exp",
    "Flatten",
    "GRU",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InsertZeros",
    "LSTM",
    "LUT",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "MaxPool",
    "Mod",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "RMSNormalization",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "RequantizeLinear",
    "Reshape",
    "Resize",
    "ReverseSequence",
    "ScatterND",
    "Sigmoid",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "StreamingCache",
    "Sub",
    "Swish",
    "Tanh",
    "Transpose",
    "Unsqueeze",
};

typedef struct {
    const char *target;
    hil_kernels_t kernels;
} target_t;

static const target_t TARGETS[] = {
    {"c", HIL_KERNELS_C},         {"esp32", HIL_KERNELS_C},    {"esp32s2", HIL_KERNELS_C},
    {"esp32c2", HIL_KERNELS_C},   {"esp32c3", HIL_KERNELS_C},  {"esp32c5", HIL_KERNELS_C},
    {"esp32c6", HIL_KERNELS_C},   {"esp32s3", HIL_KERNELS_S3}, {"esp32p4", HIL_KERNELS_P4},
    {"esp32s31", HIL_KERNELS_P4},
};

static hil_status_t refuse(hil_error_t *error, hil_status_t status, const char *what,
                           hil_name_t node)
{
    *error =
        (hil_error_t){.status = status, .what = what, .node = node.data, .node_size = node.size};
    return status;
}

static bool has_operator(hil_name_t type)
{
    for (size_t i = 0; i < sizeof(OPERATORS) / sizeof(OPERATORS[0]); i++) {
        if (hil_name_is(type, OPERATORS[i])) {
            return true;
        }
    }
    return false;
}

static hil_status_t check_target(const hil_engine_config_t *config, hil_espdl_t *espdl,
                                 hil_error_t *error)
{
    const hil_name_t nobody = {NULL, 0};
    hil_name_t target = hil_espdl_metadata(espdl, "target");
    if (target.size == 0) {
        return HIL_OK; /* most files do not say */
    }
    for (size_t i = 0; i < sizeof(TARGETS) / sizeof(TARGETS[0]); i++) {
        if (hil_name_is(target, TARGETS[i].target) && TARGETS[i].kernels == config->kernels) {
            return HIL_OK;
        }
    }
    hil_status_t status = refuse(error, HIL_ERR_TARGET, "file was made for another target", nobody);
    error->subject = target.data;
    error->subject_size = target.size;
    return status;
}

static hil_status_t check_nodes(hil_espdl_t *espdl, hil_error_t *error)
{
    for (uint32_t i = 0; i < espdl->nodes.count; i++) {
        hil_espdl_node_t node;
        hil_espdl_node(espdl, i, &node);
        if (espdl->reader.fault != NULL) {
            break;
        }
        if (!has_operator(node.op_type)) {
            return refuse(error, HIL_ERR_UNSUPPORTED,
                          "operator: not in the ESP-DL of this firmware", node.name);
        }
        for (uint32_t k = 0; k < node.inputs.count; k++) {
            (void)hil_vector_string(&espdl->reader, node.inputs, k);
        }
        for (uint32_t k = 0; k < node.outputs.count; k++) {
            (void)hil_vector_string(&espdl->reader, node.outputs, k);
        }
        for (uint32_t k = 0; k < node.attributes.count; k++) {
            (void)hil_vector_table(&espdl->reader, node.attributes, k);
        }
    }
    return hil_espdl_check(espdl, error);
}

static void touch_tensors(hil_espdl_t *espdl, hil_vector_t tensors)
{
    for (uint32_t i = 0; i < tensors.count; i++) {
        hil_espdl_tensor_t tensor;
        hil_espdl_tensor(espdl, hil_vector_table(&espdl->reader, tensors, i), &tensor);
    }
}

static void touch_values(hil_espdl_t *espdl, hil_vector_t values)
{
    for (uint32_t i = 0; i < values.count; i++) {
        hil_espdl_value_t value;
        hil_espdl_value(espdl, hil_vector_table(&espdl->reader, values, i), &value);
    }
}

hil_status_t hil_espdl_preflight(const hil_engine_config_t *config, const uint8_t *model,
                                 size_t model_size, hil_error_t *error)
{
    hil_espdl_t espdl;
    hil_status_t status = hil_espdl_open(&espdl, model, model_size, error);
    if (status == HIL_OK) {
        status = check_target(config, &espdl, error);
    }
    if (status != HIL_OK) {
        return status;
    }
    touch_tensors(&espdl, espdl.initializers);
    touch_tensors(&espdl, espdl.test_inputs);
    touch_values(&espdl, espdl.inputs);
    touch_values(&espdl, espdl.outputs);
    touch_values(&espdl, espdl.value_infos);
    return check_nodes(&espdl, error);
}

const uint8_t *hil_espdl_test_input(const uint8_t *model, size_t model_size, const char *name,
                                    uint32_t size_bytes)
{
    hil_espdl_t espdl;
    hil_error_t ignored;
    if (hil_espdl_open(&espdl, model, model_size, &ignored) != HIL_OK) {
        return NULL;
    }
    for (uint32_t i = 0; i < espdl.test_inputs.count; i++) {
        hil_espdl_tensor_t tensor;
        hil_espdl_tensor(&espdl, hil_vector_table(&espdl.reader, espdl.test_inputs, i), &tensor);
        if (espdl.reader.fault == NULL && hil_name_is(tensor.name, name) &&
            tensor.count * hil_dtype_size(tensor.dtype) == size_bytes) {
            return hil_read_bytes(&espdl.reader, tensor.data_at, size_bytes);
        }
    }
    return NULL;
}
