/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "esp_err.h"

namespace fbs
{
enum model_location_type_t { MODEL_LOCATION_IN_FLASH_RODATA = 0 };

class FbsModel
{
  public:
    std::vector<std::string> topological_sort();
    std::vector<std::string> get_graph_inputs();
    std::vector<std::string> get_graph_outputs();
    /* These two look names up in maps that load_map fills. */
    std::string get_operation_type(std::string node_name);
    esp_err_t get_operation_inputs_and_outputs(std::string node_name,
                                               std::vector<std::string> &inputs,
                                               std::vector<std::string> &outputs);
    void load_map();
    void clear_map();

    struct Fake;
    Fake *fake = nullptr;
};
} // namespace fbs

namespace dl
{
enum dtype_t {
    DATA_TYPE_UNDEFINED = 0,
    DATA_TYPE_FLOAT = 1,
    DATA_TYPE_UINT8 = 2,
    DATA_TYPE_INT8 = 3,
    DATA_TYPE_UINT16 = 4,
    DATA_TYPE_INT16 = 5,
    DATA_TYPE_INT32 = 6,
    DATA_TYPE_INT64 = 7,
    DATA_TYPE_STRING = 8,
    DATA_TYPE_BOOL = 9,
    DATA_TYPE_FLOAT16 = 10,
    DATA_TYPE_DOUBLE = 11,
    DATA_TYPE_UINT32 = 12,
    DATA_TYPE_UINT64 = 13
};
enum runtime_mode_t { RUNTIME_MODE_AUTO = 0, RUNTIME_MODE_SINGLE_CORE, RUNTIME_MODE_MULTI_CORE };
enum memory_manager_t { MEMORY_MANAGER_GREEDY = 0 };

class TensorBase
{
  public:
    std::vector<int> shape;
    dtype_t get_dtype()
    {
        return fake_dtype;
    }
    int get_exponent()
    {
        return fake_exponent;
    }
    int get_bytes()
    {
        return static_cast<int>(fake_data.size());
    }
    void *get_element_ptr()
    {
        return fake_data.empty() ? nullptr : fake_data.data();
    }

    dtype_t fake_dtype = DATA_TYPE_UNDEFINED;
    int fake_exponent = 0;
    std::vector<uint8_t> fake_data;
};

class Model
{
  public:
    Model(const char *address, fbs::model_location_type_t location, int max_internal_size,
          memory_manager_t manager, const uint8_t *key, bool param_copy);
    virtual ~Model();
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;
    static void *operator new(size_t size, const std::nothrow_t &tag) noexcept;
    static void operator delete(void *memory);

    virtual std::map<std::string, TensorBase *> &get_inputs();
    virtual std::map<std::string, TensorBase *> &get_outputs();
    virtual TensorBase *get_intermediate(const std::string &name);
    virtual fbs::FbsModel *get_fbs_model();
    virtual void run(runtime_mode_t mode = RUNTIME_MODE_SINGLE_CORE);
    virtual void run(int stage_num, int stage_index,
                     runtime_mode_t mode = RUNTIME_MODE_SINGLE_CORE);
    virtual void reset();

  private:
    struct Fake;
    Fake *fake;
};
} // namespace dl
