/* ESP-DL's model class on Linux: the reference engine computes, node by node as it is asked. */
#include "dl_model_base.hpp"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <cstdlib>
#include <cstring>
#include <memory>

extern "C" {
#include "hil_espdl.h"
#include "hil_ref_engine.h"
}

#include "esp_heap_caps.h"
#include "fake.h"
#include "sdkconfig.h"

namespace
{

constexpr size_t ARENA_BYTES = 16u << 20;
constexpr size_t ALIGNMENT = 16;

std::string text_of(hil_name_t name)
{
    return std::string(name.data, name.size);
}

size_t file_size(const uint8_t *file)
{
    uint32_t payload;
    std::memcpy(&payload, file + 8, sizeof(payload));
    return payload + (file[3] == '1' ? 12u : 16u);
}

hil_kernels_t kernels()
{
#if CONFIG_IDF_TARGET_ESP32S3
    return HIL_KERNELS_S3;
#elif CONFIG_IDF_TARGET_ESP32P4
    return HIL_KERNELS_P4;
#else
    return HIL_KERNELS_C;
#endif
}

void fill(dl::TensorBase &tensor, const hil_tensor_info_t &info)
{
    tensor.shape.assign(info.dims, info.dims + info.rank);
    tensor.fake_dtype = static_cast<dl::dtype_t>(info.dtype);
    tensor.fake_exponent = info.exponent;
    tensor.fake_data.assign(info.size_bytes, 0);
}

void wait_ms(unsigned ms)
{
    timespec time = {static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1000000};
    nanosleep(&time, nullptr);
}

} // namespace

/* --- The file ----------------------------------------------------------------------------- */

struct fbs::FbsModel::Fake {
    struct Node {
        std::string name;
        std::string type;
        std::vector<std::string> inputs;
        std::vector<std::string> outputs;
    };
    std::vector<Node> nodes;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    bool has_map = false;

    const Node *find(const std::string &name) const
    {
        for (const Node &node : nodes) {
            if (has_map && node.name == name) {
                return &node;
            }
        }
        return nullptr;
    }
};

namespace fbs
{

std::vector<std::string> FbsModel::topological_sort()
{
    std::vector<std::string> names;
    for (const Fake::Node &node : fake->nodes) {
        names.push_back(node.name);
    }
    return names;
}

std::vector<std::string> FbsModel::get_graph_inputs()
{
    return fake->inputs;
}

std::vector<std::string> FbsModel::get_graph_outputs()
{
    return fake->outputs;
}

std::string FbsModel::get_operation_type(std::string node_name)
{
    const Fake::Node *node = fake->find(node_name);
    return node != nullptr ? node->type : "";
}

esp_err_t FbsModel::get_operation_inputs_and_outputs(std::string node_name,
                                                     std::vector<std::string> &inputs,
                                                     std::vector<std::string> &outputs)
{
    const Fake::Node *node = fake->find(node_name);
    if (node == nullptr || fake_fails("FbsModel::get_operation_inputs_and_outputs")) {
        return ESP_FAIL;
    }
    inputs = node->inputs;
    outputs = node->outputs;
    return ESP_OK;
}

void FbsModel::load_map()
{
    fake->has_map = true;
}

void FbsModel::clear_map()
{
    fake->has_map = false;
}

} // namespace fbs

/* --- The model ---------------------------------------------------------------------------- */

namespace dl
{

struct Model::Fake {
    fbs::FbsModel file;
    fbs::FbsModel::Fake file_fake;
    bool loaded = false;
    hil_engine_t engine;
    hil_ref_state_t state;
    std::unique_ptr<uint8_t, void (*)(void *)> arena{
        static_cast<uint8_t *>(std::aligned_alloc(ALIGNMENT, ARENA_BYTES)), std::free};
    std::map<std::string, TensorBase> tensors;
    std::map<std::string, TensorBase *> inputs;
    std::map<std::string, TensorBase *> outputs;
    /* Of the last whole run, until each stage hands its own out. */
    std::vector<std::map<std::string, std::vector<uint8_t>>> computed;

    static void keep(void *user, const hil_node_output_t *output)
    {
        Fake *fake = static_cast<Fake *>(user);
        const uint8_t *data = static_cast<const uint8_t *>(output->data);
        std::string name = text_of(output->value.name);
        fake->computed[output->node_index][name].assign(data, data + output->value.size_bytes);
        fill(fake->tensors[name], output->value);
    }

    void compute()
    {
        hil_error_t error;
        hil_observer_t observer = {this, nullptr, nullptr, keep};
        computed.assign(engine.node_count(&engine), {});
        for (uint32_t i = 0; i < engine.input_count(&engine); i++) {
            TensorBase &input = tensors[file_fake.inputs[i]];
            if (engine.write_input(&engine, i, 0, input.fake_data.data(), input.fake_data.size()) !=
                HIL_OK) {
                std::abort();
            }
        }
        if (engine.run(&engine, 1, &observer, &error) != HIL_OK) {
            std::abort();
        }
    }

    void hand_out(size_t node)
    {
        for (auto &[name, bytes] : computed[node]) {
            tensors[name].fake_data = bytes;
        }
    }

    void read_nodes(const uint8_t *model)
    {
        hil_espdl_t espdl;
        hil_error_t error;
        if (hil_espdl_open(&espdl, model, file_size(model), &error) != HIL_OK) {
            std::abort();
        }
        for (uint32_t i = 0; i < espdl.nodes.count; i++) {
            hil_espdl_node_t node;
            hil_espdl_node(&espdl, i, &node);
            fbs::FbsModel::Fake::Node &added = file_fake.nodes.emplace_back();
            added.name = text_of(node.name);
            added.type = text_of(node.op_type);
            for (uint32_t k = 0; k < node.outputs.count; k++) {
                added.outputs.push_back(text_of(hil_vector_string(&espdl.reader, node.outputs, k)));
            }
        }
    }

    /* Built for PSRAM, the memory manager uses internal RAM up to the limit only. */
    bool fits(int max_internal_size) const
    {
        size_t bytes = 0;
        for (const auto &[name, tensor] : tensors) {
            bytes += tensor.fake_data.size();
        }
#if CONFIG_SPIRAM
        return heap_caps_get_total_size(MALLOC_CAP_SPIRAM) > 0 ||
               bytes <= static_cast<size_t>(max_internal_size);
#else
        (void)max_internal_size;
        return bytes > 0;
#endif
    }

    void add_graph_values()
    {
        hil_tensor_info_t info;
        for (uint32_t i = 0; i < engine.input_count(&engine); i++) {
            if (engine.input_info(&engine, i, &info) == HIL_OK) {
                file_fake.inputs.push_back(text_of(info.name));
                fill(tensors[file_fake.inputs.back()], info);
            }
        }
        for (uint32_t i = 0; i < engine.output_count(&engine); i++) {
            if (engine.output_info(&engine, i, &info) == HIL_OK) {
                file_fake.outputs.push_back(text_of(info.name));
                fill(tensors[file_fake.outputs.back()], info);
            }
        }
    }
};

Model::Model(const char *address, fbs::model_location_type_t, int max_internal_size,
             memory_manager_t, const uint8_t *, bool)
    : fake(new Fake())
{
    const uint8_t *model = reinterpret_cast<const uint8_t *>(address);
    hil_engine_config_t config = {kernels(), CONFIG_IDF_TARGET, fake->arena.get(), ARENA_BYTES};
    hil_error_t error;
    hil_ref_engine_init(&fake->engine, &fake->state);
    if (reinterpret_cast<uintptr_t>(address) % ALIGNMENT != 0) {
        std::abort();
    }
    if (fake_fails("Model::load") ||
        fake->engine.load(&fake->engine, &config, model, file_size(model), &error) != HIL_OK) {
        /* Tells its log only, like the real one; in pieces, like ESP-IDF's second format. */
        fake_log("E (%u) %s: ", 12u, "dl::Model");
        fake_log("Fail to load model");
        fake_log("\n");
        wait_ms(fake_setting("HIL_FAKE_NODE_MS", 0));
        return;
    }
    fake->loaded = true;
    fake->file.fake = &fake->file_fake;
    fake->read_nodes(model);
    fake->add_graph_values();
    fake->compute(); /* for the shapes of the inner values */
    bool has_arena = !fake_fails("Model::root_alloc") && fake->fits(max_internal_size);
    for (const std::string &name : fake->file_fake.inputs) {
        fake->inputs[name] = has_arena ? &fake->tensors[name] : nullptr;
    }
    for (const std::string &name : fake->file_fake.outputs) {
        fake->outputs[name] = has_arena ? &fake->tensors[name] : nullptr;
    }
    if (!has_arena) {
        fake->tensors.clear();
    }
    fake->engine.reset(&fake->engine);
}

Model::~Model()
{
    delete fake;
}

void *Model::operator new(size_t size, const std::nothrow_t &) noexcept
{
    return fake_fails("Model::new") ? nullptr : std::malloc(size);
}

void Model::operator delete(void *memory)
{
    std::free(memory);
}

std::map<std::string, TensorBase *> &Model::get_inputs()
{
    return fake->inputs;
}

std::map<std::string, TensorBase *> &Model::get_outputs()
{
    return fake->outputs;
}

TensorBase *Model::get_intermediate(const std::string &name)
{
    auto found = fake->tensors.find(name);
    return found != fake->tensors.end() ? &found->second : nullptr;
}

fbs::FbsModel *Model::get_fbs_model()
{
    return fake->loaded ? &fake->file : nullptr;
}

void Model::run(runtime_mode_t)
{
    fake->compute();
    for (size_t node = 0; node < fake->computed.size(); node++) {
        fake->hand_out(node);
    }
}

void Model::run(int stage_num, int stage_index, runtime_mode_t)
{
    int plan = static_cast<int>(fake->file_fake.nodes.size());
    if (fake_fails("Model::run")) {
        fake_panic(); /* ESP-DL's way to refuse */
    }
    wait_ms(fake_setting("HIL_FAKE_NODE_MS", 0));
    if (stage_index == 0) {
        fake->compute();
    }
    for (int i = stage_index * plan / stage_num; i < (stage_index + 1) * plan / stage_num; i++) {
        fake->hand_out(static_cast<size_t>(i));
    }
}

void Model::reset()
{
    fake->engine.reset(&fake->engine);
}

} // namespace dl
