/* ESP-DL behind the engine interface: the only file that includes dl_*.hpp. */
#include "hil_espdl_engine.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "dl_model_base.hpp"
#include "esp_heap_caps.h"
#include "hil_espdl_preflight.h"
#include "sdkconfig.h"

#ifndef HIL_ESPDL_VERSION
#define HIL_ESPDL_VERSION "unknown"
#endif

namespace
{

constexpr size_t ALIGNMENT = 16;
/* ESP-DL copies parameters one by one: leave room for activations too. */
constexpr size_t COPY_ROOM_NUMERATOR = 3;
constexpr size_t COPY_ROOM_DENOMINATOR = 2;
/* Of the largest internal block, where there is no PSRAM: the rest is for the graph itself. */
constexpr size_t BUDGET_NUMERATOR = 3;
constexpr size_t BUDGET_DENOMINATOR = 4;

struct Value {
    std::string name;
    dl::TensorBase *tensor;
};

struct Node {
    std::string name;
    std::string op_type;
    size_t first_output; /* in Loaded::node_outputs */
    size_t output_count;
};

struct Loaded {
    dl::Model *model = nullptr;
    uint8_t *copy = nullptr; /* of the whole file */
    std::vector<Node> nodes; /* in execution order */
    std::vector<Value> node_outputs;
    std::vector<Value> inputs; /* in the order of the graph */
    std::vector<Value> outputs;
    std::vector<const uint8_t *> test_inputs; /* of each input; null where the file has none */
    hil_engine_memory_t memory = {};
    bool has_run = false;

    Loaded() = default;
    Loaded(const Loaded &) = delete;
    Loaded &operator=(const Loaded &) = delete;
    ~Loaded()
    {
        delete model;
        heap_caps_free(copy);
    }
};

hil_espdl_state_t *state_of(const hil_engine_t *engine)
{
    return static_cast<hil_espdl_state_t *>(engine->state);
}

Loaded *loaded_of(const hil_engine_t *engine)
{
    return static_cast<Loaded *>(state_of(engine)->loaded);
}

hil_status_t refuse(hil_error_t *error, hil_status_t status, const char *what)
{
    *error = {};
    error->status = status;
    error->what = what;
    return status;
}

hil_name_t name_of(const std::string &text)
{
    return {text.data(), static_cast<uint32_t>(text.size())};
}

/* ESP-DL's numbers of element types are those of the interface: `describe` casts. */
static_assert(static_cast<int>(dl::DATA_TYPE_FLOAT) == HIL_FLOAT);
static_assert(static_cast<int>(dl::DATA_TYPE_UINT8) == HIL_UINT8);
static_assert(static_cast<int>(dl::DATA_TYPE_INT8) == HIL_INT8);
static_assert(static_cast<int>(dl::DATA_TYPE_UINT16) == HIL_UINT16);
static_assert(static_cast<int>(dl::DATA_TYPE_INT16) == HIL_INT16);
static_assert(static_cast<int>(dl::DATA_TYPE_INT32) == HIL_INT32);
static_assert(static_cast<int>(dl::DATA_TYPE_INT64) == HIL_INT64);
static_assert(static_cast<int>(dl::DATA_TYPE_BOOL) == HIL_BOOL);
static_assert(static_cast<int>(dl::DATA_TYPE_DOUBLE) == HIL_DOUBLE);
static_assert(static_cast<int>(dl::DATA_TYPE_UINT32) == HIL_UINT32);
static_assert(static_cast<int>(dl::DATA_TYPE_UINT64) == HIL_UINT64);

/* --- Tensors ------------------------------------------------------------------------------ */

/* Whether the interface can carry it: memory, a known type, a rank and dims that fit. */
bool is_usable(dl::TensorBase *tensor)
{
    if (tensor == nullptr || tensor->get_element_ptr() == nullptr) {
        return false;
    }
    switch (tensor->get_dtype()) {
    case dl::DATA_TYPE_FLOAT:
    case dl::DATA_TYPE_UINT8:
    case dl::DATA_TYPE_INT8:
    case dl::DATA_TYPE_UINT16:
    case dl::DATA_TYPE_INT16:
    case dl::DATA_TYPE_INT32:
    case dl::DATA_TYPE_INT64:
    case dl::DATA_TYPE_BOOL:
    case dl::DATA_TYPE_DOUBLE:
    case dl::DATA_TYPE_UINT32:
    case dl::DATA_TYPE_UINT64:
        return tensor->shape.size() <= HIL_MAX_RANK && tensor->get_bytes() >= 0;
    default:
        return false;
    }
}

uint32_t bytes_of(dl::TensorBase *tensor)
{
    return static_cast<uint32_t>(tensor->get_bytes());
}

void describe(const Value &value, hil_tensor_info_t *info)
{
    dl::TensorBase *tensor = value.tensor;
    *info = {};
    info->name = name_of(value.name);
    info->dtype = static_cast<hil_dtype_t>(tensor->get_dtype()); /* the same numbers */
    info->exponent = info->dtype == HIL_FLOAT ? 0 : tensor->get_exponent();
    info->rank = static_cast<uint32_t>(tensor->shape.size());
    for (size_t i = 0; i < tensor->shape.size(); i++) {
        info->dims[i] = static_cast<uint32_t>(tensor->shape[i]);
    }
    info->size_bytes = bytes_of(tensor);
}

hil_status_t find_values(dl::Model *model, const std::vector<std::string> &names,
                         std::vector<Value> &values, hil_error_t *error)
{
    for (const std::string &name : names) {
        dl::TensorBase *tensor = model->get_intermediate(name);
        if (tensor == nullptr) {
            return refuse(error, HIL_ERR_UNSUPPORTED, "espdl: a value that no node uses");
        }
        if (!is_usable(tensor)) {
            return refuse(error, HIL_ERR_UNSUPPORTED, "espdl: type or rank of a value");
        }
        values.push_back({name, tensor});
    }
    return HIL_OK;
}

/* --- Load --------------------------------------------------------------------------------- */

bool has_psram()
{
    return heap_caps_get_total_size(MALLOC_CAP_SPIRAM) > 0;
}

uint32_t large_caps()
{
    return (has_psram() ? MALLOC_CAP_SPIRAM : MALLOC_CAP_INTERNAL) | MALLOC_CAP_8BIT;
}

/* What ESP-DL may take: bytes free in all of the heap. */
size_t free_bytes()
{
    return heap_caps_get_free_size(MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT) +
           heap_caps_get_free_size(MALLOC_CAP_SPIRAM);
}

/* ESP-DL takes the whole budget at once. Built for PSRAM, it plans activations there even on a
 * module without any, unless they fit the budget: then it gets most of the largest block. */
size_t internal_budget(const hil_espdl_options_t &options)
{
#if CONFIG_SPIRAM
    if (!has_psram()) {
        size_t largest = heap_caps_get_largest_free_block(large_caps());
        return largest / BUDGET_DENOMINATOR * BUDGET_NUMERATOR / ALIGNMENT * ALIGNMENT;
    }
#endif
    return options.internal_bytes;
}

/* Copies the file to PSRAM; `model` where there is no room, which is as right but slower. */
const uint8_t *place(Loaded *loaded, hil_espdl_parameters_t parameters, const uint8_t *model,
                     size_t model_size)
{
    if (parameters != HIL_ESPDL_WHOLE_FILE) {
        return model;
    }
    loaded->copy =
        static_cast<uint8_t *>(heap_caps_aligned_alloc(ALIGNMENT, model_size, MALLOC_CAP_SPIRAM));
    if (loaded->copy == nullptr) {
        return model;
    }
    std::memcpy(loaded->copy, model, model_size);
    return loaded->copy;
}

bool copies_parameters(const Loaded *loaded, hil_espdl_parameters_t parameters, size_t model_size)
{
#if CONFIG_SPIRAM
    if (!has_psram()) {
        return false; /* internal_budget gives that memory to the activations */
    }
#endif
    return parameters != HIL_ESPDL_IN_PLACE && loaded->copy == nullptr &&
           heap_caps_get_free_size(large_caps()) / COPY_ROOM_NUMERATOR >
               model_size / COPY_ROOM_DENOMINATOR;
}

hil_status_t read_graph(Loaded *loaded, hil_error_t *error)
{
    dl::Model *model = loaded->model;
    fbs::FbsModel *file = model->get_fbs_model();
    hil_status_t status = find_values(model, file->get_graph_inputs(), loaded->inputs, error);
    if (status == HIL_OK) {
        status = find_values(model, file->get_graph_outputs(), loaded->outputs, error);
    }
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    for (const std::string &name : file->topological_sort()) {
        if (status != HIL_OK) {
            break;
        }
        inputs.clear();
        outputs.clear();
        if (file->get_operation_inputs_and_outputs(name, inputs, outputs) != ESP_OK) {
            return refuse(error, HIL_ERR_INTERNAL, "espdl: a node without a description");
        }
        size_t first = loaded->node_outputs.size();
        outputs.erase(std::remove(outputs.begin(), outputs.end(), ""), outputs.end()); /* unused */
        status = find_values(model, outputs, loaded->node_outputs, error);
        loaded->nodes.push_back({name, file->get_operation_type(name), first, outputs.size()});
    }
    return status;
}

/* By the heap, as ESP-DL's own summary does it: that one stops the chip where code runs from PSRAM
 * and a parameter was copied to internal RAM (dl_tool.cpp, memory_addr_type). */
void measure(Loaded *loaded, size_t free_before)
{
    size_t free_now = free_bytes();
    uint32_t bytes = static_cast<uint32_t>(free_before > free_now ? free_before - free_now : 0);
    /* ESP-DL's arena is planned at load: what it uses now is the most it ever uses. */
    loaded->memory.total_bytes = static_cast<uint32_t>(heap_caps_get_total_size(large_caps()));
    loaded->memory.used_bytes = bytes;
    loaded->memory.high_water_bytes = bytes;
}

bool has_activations(dl::Model *model)
{
    const std::map<std::string, dl::TensorBase *> &outputs = model->get_outputs();
    return std::all_of(outputs.begin(), outputs.end(), [](const auto &output) {
        return output.second != nullptr && output.second->get_element_ptr() != nullptr;
    });
}

hil_status_t build(Loaded *loaded, const hil_espdl_options_t &options, const uint8_t *model,
                   size_t model_size, hil_error_t *error)
{
    size_t free_before = free_bytes();
    const uint8_t *placed = place(loaded, options.parameters, model, model_size);
    /* The name says RODATA, the meaning is "at this address": flash or RAM. */
    loaded->model = new (std::nothrow)
        dl::Model(reinterpret_cast<const char *>(placed), fbs::MODEL_LOCATION_IN_FLASH_RODATA,
                  static_cast<int>(internal_budget(options)), dl::MEMORY_MANAGER_GREEDY, nullptr,
                  copies_parameters(loaded, options.parameters, model_size));
    if (loaded->model == nullptr) {
        return refuse(error, HIL_ERR_MEMORY, "espdl: no memory for the model");
    }
    /* The constructor reports nothing: what it left undone shows here. */
    if (loaded->model->get_fbs_model() == nullptr || loaded->model->get_inputs().empty() ||
        loaded->model->get_outputs().empty()) {
        return refuse(error, HIL_ERR_FORMAT, "espdl: the model did not load; see the log");
    }
    if (!has_activations(loaded->model)) {
        return refuse(error, HIL_ERR_MEMORY, "espdl: no memory for the activations");
    }
    fbs::FbsModel *file = loaded->model->get_fbs_model();
    file->load_map(); /* its look-ups by name, which the build has cleared */
    hil_status_t status = read_graph(loaded, error);
    file->clear_map();
    if (status != HIL_OK) {
        return status;
    }
    for (const Value &input : loaded->inputs) {
        loaded->test_inputs.push_back(
            hil_espdl_test_input(model, model_size, input.name.c_str(), bytes_of(input.tensor)));
    }
    measure(loaded, free_before);
    return HIL_OK;
}

void unload(hil_engine_t *engine)
{
    delete loaded_of(engine);
    state_of(engine)->loaded = nullptr;
}

hil_status_t load(hil_engine_t *engine, const hil_engine_config_t *config, const uint8_t *model,
                  size_t model_size, hil_error_t *error)
{
    unload(engine);
    hil_status_t status = hil_espdl_preflight(config, model, model_size, error);
    if (status != HIL_OK) {
        return status;
    }
    Loaded *loaded = new (std::nothrow) Loaded();
    if (loaded == nullptr) {
        return refuse(error, HIL_ERR_MEMORY, "espdl: no memory for the model");
    }
    status = build(loaded, state_of(engine)->options, model, model_size, error);
    if (status != HIL_OK) {
        delete loaded;
        return status;
    }
    state_of(engine)->loaded = loaded;
    return HIL_OK;
}

/* --- Tensors of the graph ----------------------------------------------------------------- */

uint32_t node_count(const hil_engine_t *engine)
{
    const Loaded *loaded = loaded_of(engine);
    return loaded != nullptr ? static_cast<uint32_t>(loaded->nodes.size()) : 0;
}

uint32_t input_count(const hil_engine_t *engine)
{
    const Loaded *loaded = loaded_of(engine);
    return loaded != nullptr ? static_cast<uint32_t>(loaded->inputs.size()) : 0;
}

uint32_t output_count(const hil_engine_t *engine)
{
    const Loaded *loaded = loaded_of(engine);
    return loaded != nullptr ? static_cast<uint32_t>(loaded->outputs.size()) : 0;
}

hil_status_t input_info(const hil_engine_t *engine, uint32_t index, hil_tensor_info_t *info)
{
    if (index >= input_count(engine)) {
        return HIL_ERR_ARGUMENT;
    }
    describe(loaded_of(engine)->inputs[index], info);
    return HIL_OK;
}

hil_status_t output_info(const hil_engine_t *engine, uint32_t index, hil_tensor_info_t *info)
{
    if (index >= output_count(engine)) {
        return HIL_ERR_ARGUMENT;
    }
    describe(loaded_of(engine)->outputs[index], info);
    return HIL_OK;
}

bool is_inside(dl::TensorBase *tensor, size_t offset, size_t size)
{
    return offset <= bytes_of(tensor) && size <= bytes_of(tensor) - offset;
}

hil_status_t write_input(hil_engine_t *engine, uint32_t index, size_t offset, const void *data,
                         size_t size)
{
    if (index >= input_count(engine)) {
        return HIL_ERR_ARGUMENT;
    }
    dl::TensorBase *tensor = loaded_of(engine)->inputs[index].tensor;
    if (!is_inside(tensor, offset, size)) {
        return HIL_ERR_ARGUMENT;
    }
    if (size != 0) {
        std::memcpy(static_cast<uint8_t *>(tensor->get_element_ptr()) + offset, data, size);
    }
    return HIL_OK;
}

hil_status_t use_test_inputs(hil_engine_t *engine)
{
    Loaded *loaded = loaded_of(engine);
    if (loaded == nullptr) {
        return HIL_ERR_STATE;
    }
    for (const uint8_t *data : loaded->test_inputs) {
        if (data == nullptr) {
            return HIL_ERR_STATE;
        }
    }
    for (uint32_t i = 0; i < loaded->inputs.size(); i++) {
        dl::TensorBase *tensor = loaded->inputs[i].tensor;
        std::memcpy(tensor->get_element_ptr(), loaded->test_inputs[i], bytes_of(tensor));
    }
    return HIL_OK;
}

hil_status_t read_output(const hil_engine_t *engine, uint32_t index, size_t offset, void *data,
                         size_t size)
{
    const Loaded *loaded = loaded_of(engine);
    if (loaded == nullptr || !loaded->has_run) {
        return HIL_ERR_STATE;
    }
    if (index >= loaded->outputs.size() ||
        !is_inside(loaded->outputs[index].tensor, offset, size)) {
        return HIL_ERR_ARGUMENT;
    }
    dl::TensorBase *tensor = loaded->outputs[index].tensor;
    if (size != 0) {
        std::memcpy(data, static_cast<const uint8_t *>(tensor->get_element_ptr()) + offset, size);
    }
    return HIL_OK;
}

/* --- Run ---------------------------------------------------------------------------------- */

/* Right after its node: the memory of an inner value is soon used again. */
void report_outputs(const Loaded *loaded, uint32_t index, const hil_observer_t *observer)
{
    const Node &node = loaded->nodes[index];
    for (size_t i = 0; i < node.output_count; i++) {
        const Value &value = loaded->node_outputs[node.first_output + i];
        hil_node_output_t output = {};
        output.node_index = index;
        output.output_index = static_cast<uint32_t>(i);
        output.node = name_of(node.name);
        output.op_type = name_of(node.op_type);
        describe(value, &output.value);
        output.data = value.tensor->get_element_ptr();
        observer->node_output(observer->user, &output);
    }
}

hil_status_t run(hil_engine_t *engine, uint32_t cores, const hil_observer_t *observer,
                 hil_error_t *error)
{
    Loaded *loaded = loaded_of(engine);
    if (loaded == nullptr) {
        return refuse(error, HIL_ERR_STATE, "no model is loaded");
    }
    *error = {};
    dl::runtime_mode_t mode =
        cores > 1 ? dl::RUNTIME_MODE_MULTI_CORE : dl::RUNTIME_MODE_SINGLE_CORE;
    if (observer == nullptr) {
        loaded->model->run(mode);
        loaded->has_run = true;
        return HIL_OK;
    }
    uint32_t count = static_cast<uint32_t>(loaded->nodes.size());
    for (uint32_t i = 0; i < count; i++) {
        if (observer->node_begin != nullptr) {
            observer->node_begin(observer->user, i);
        }
        /* As many stages as nodes: each stage is one node. */
        loaded->model->run(static_cast<int>(count), static_cast<int>(i), mode);
        if (observer->node_end != nullptr) {
            observer->node_end(observer->user, i);
        }
        if (observer->node_output != nullptr) {
            report_outputs(loaded, i, observer);
        }
    }
    loaded->has_run = true;
    return HIL_OK;
}

/* The operators whose modules Model::reset clears. */
bool has_state(const hil_engine_t *engine)
{
    const Loaded *loaded = loaded_of(engine);
    return loaded != nullptr &&
           std::any_of(loaded->nodes.begin(), loaded->nodes.end(), [](const Node &node) {
               return node.op_type == "StreamingCache" || node.op_type == "GRU" ||
                      node.op_type == "LSTM";
           });
}

void reset(hil_engine_t *engine)
{
    if (loaded_of(engine) != nullptr) {
        loaded_of(engine)->model->reset();
    }
}

void memory(const hil_engine_t *engine, hil_engine_memory_t *report)
{
    *report = loaded_of(engine) != nullptr ? loaded_of(engine)->memory : hil_engine_memory_t{};
}

} // namespace

extern "C" void hil_espdl_engine_init(hil_engine_t *engine, hil_espdl_state_t *state,
                                      const hil_espdl_options_t *options)
{
    *state = {};
    state->options = *options;
    *engine = {};
    engine->name = "espdl";
    engine->version = HIL_ESPDL_VERSION;
    engine->state = state;
    engine->load = load;
    engine->unload = unload;
    engine->node_count = node_count;
    engine->input_count = input_count;
    engine->output_count = output_count;
    engine->input_info = input_info;
    engine->output_info = output_info;
    engine->write_input = write_input;
    engine->use_test_inputs = use_test_inputs;
    engine->run = run;
    engine->read_output = read_output;
    engine->has_state = has_state;
    engine->reset = reset;
    engine->memory = memory;
}
