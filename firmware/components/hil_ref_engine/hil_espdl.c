/* The `.espdl` file: container and the tables of its graph. */
#include "hil_espdl.h"

#include <string.h>

/* Dimensions beyond this cannot be meant: no chip holds such a tensor. */
#define MAX_ELEMENTS 0x10000000u

uint32_t hil_dtype_size(hil_dtype_t dtype)
{
    switch (dtype) {
    case HIL_UINT8:
    case HIL_INT8:
    case HIL_BOOL:
        return 1;
    case HIL_UINT16:
    case HIL_INT16:
        return 2;
    case HIL_FLOAT:
    case HIL_INT32:
    case HIL_UINT32:
        return 4;
    case HIL_INT64:
    case HIL_UINT64:
    case HIL_DOUBLE:
        return 8;
    }
    return 0;
}

static hil_status_t refuse(hil_error_t *error, hil_status_t status, const char *what,
                           uint32_t offset)
{
    error->status = status;
    error->what = what;
    error->offset = offset;
    return status;
}

static uint32_t load_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) |
           ((uint32_t)bytes[3] << 24);
}

hil_status_t hil_espdl_open(hil_espdl_t *espdl, const uint8_t *file, size_t file_size,
                            hil_error_t *error)
{
    memset(espdl, 0, sizeof *espdl);
    if (file_size < 12 || file_size > 0x7fffffffu) {
        return refuse(error, HIL_ERR_FORMAT, "file size", 0);
    }
    if (memcmp(file, "EDL2", 4) == 0) {
        espdl->payload_at = 16;
    } else if (memcmp(file, "EDL1", 4) == 0) {
        espdl->payload_at = 12;
    } else if (memcmp(file, "PDL", 3) == 0) {
        return refuse(error, HIL_ERR_FORMAT, "a pack of models: load one of its members", 0);
    } else {
        return refuse(error, HIL_ERR_FORMAT, "magic is not EDL2 or EDL1", 0);
    }
    uint32_t mode = load_u32(file + 4);
    uint32_t payload_size = load_u32(file + 8);
    if (mode == 1) {
        return refuse(error, HIL_ERR_UNSUPPORTED, "encrypted model", 4);
    }
    if (mode != 0) {
        return refuse(error, HIL_ERR_FORMAT, "encryption mode", 4);
    }
    if (espdl->payload_at > file_size || payload_size > file_size - espdl->payload_at) {
        return refuse(error, HIL_ERR_FORMAT, "payload size", 8);
    }
    espdl->reader.data = file + espdl->payload_at;
    espdl->reader.size = payload_size;

    hil_reader_t *reader = &espdl->reader;
    hil_table_t model = hil_read_root(reader);
    espdl->metadata = hil_field_vector(reader, model, 8, 4);
    hil_table_t graph = hil_field_table(reader, model, 7);
    espdl->nodes = hil_field_vector(reader, graph, 0, 4);
    espdl->initializers = hil_field_vector(reader, graph, 2, 4);
    espdl->inputs = hil_field_vector(reader, graph, 4, 4);
    espdl->outputs = hil_field_vector(reader, graph, 5, 4);
    espdl->value_infos = hil_field_vector(reader, graph, 6, 4);
    espdl->test_inputs = hil_field_vector(reader, graph, 8, 4);
    hil_status_t status = hil_espdl_check(espdl, error);
    if (status != HIL_OK) {
        return status;
    }
    if (graph.at == 0) {
        return refuse(error, HIL_ERR_FORMAT, "the model has no graph", espdl->payload_at);
    }
    return HIL_OK;
}

hil_status_t hil_espdl_check(const hil_espdl_t *espdl, hil_error_t *error)
{
    if (espdl->reader.fault == NULL) {
        return HIL_OK;
    }
    return refuse(error, HIL_ERR_FORMAT, espdl->reader.fault,
                  espdl->payload_at + espdl->reader.fault_offset);
}

/* Checks one dimension and multiplies it into `count`. */
static uint32_t add_dim(hil_reader_t *reader, uint32_t at, int64_t dim, uint32_t *count)
{
    if (dim < 0 || dim > MAX_ELEMENTS ||
        (dim != 0 && *count != 0 && (uint64_t)*count * (uint64_t)dim > MAX_ELEMENTS)) {
        hil_read_fault(reader, at, "dimension");
        return 0;
    }
    *count *= (uint32_t)dim;
    return (uint32_t)dim;
}

/* Position of the elements in the typed field that holds this dtype at its own width; 0 if none. */
static uint32_t typed_data(hil_reader_t *reader, hil_table_t table, hil_dtype_t dtype,
                           uint32_t count)
{
    static const struct {
        hil_dtype_t dtype;
        uint32_t field;
        uint32_t size;
    } fields[] = {{HIL_FLOAT, 2, 4},
                  {HIL_INT32, 3, 4},
                  {HIL_INT64, 5, 8},
                  {HIL_DOUBLE, 11, 8},
                  {HIL_UINT64, 12, 8}};
    for (uint32_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].dtype == dtype) {
            hil_vector_t vector = hil_field_vector(reader, table, fields[i].field, fields[i].size);
            return vector.count >= count ? vector.at : 0;
        }
    }
    return 0;
}

void hil_espdl_tensor(hil_espdl_t *espdl, hil_table_t table, hil_espdl_tensor_t *tensor)
{
    hil_reader_t *reader = &espdl->reader;
    memset(tensor, 0, sizeof *tensor);
    tensor->name = hil_field_string(reader, table, 6);
    tensor->dtype = (hil_dtype_t)hil_field_i32(reader, table, 1);
    tensor->exponents = hil_field_vector(reader, table, 13, 8);
    hil_vector_t dims = hil_field_vector(reader, table, 0, 8);
    if (dims.count > HIL_MAX_RANK) {
        hil_read_fault(reader, dims.at, "rank of a tensor");
        return;
    }
    tensor->rank = dims.count;
    tensor->count = 1;
    for (uint32_t i = 0; i < dims.count; i++) {
        tensor->dims[i] =
            add_dim(reader, dims.at + 8 * i, hil_vector_i64(reader, dims, i), &tensor->count);
    }
    uint32_t size = hil_dtype_size(tensor->dtype);
    if (size == 0) {
        hil_read_fault(reader, table.at, "element type of a tensor");
        return;
    }
    if (tensor->count == 0 || reader->fault != NULL) {
        return;
    }
    hil_vector_t raw = hil_field_vector(reader, table, 8, 16);
    if (raw.count != 0) {
        if ((uint64_t)tensor->count * size > (uint64_t)raw.count * 16) {
            hil_read_fault(reader, raw.at, "tensor data is shorter than its shape");
        }
        tensor->data_at = raw.at;
        return;
    }
    tensor->data_at = typed_data(reader, table, tensor->dtype, tensor->count);
    if (tensor->data_at == 0) {
        hil_read_fault(reader, table.at, "tensor without data");
    }
}

static int32_t read_exponent(hil_reader_t *reader, hil_vector_t exponents, uint32_t index)
{
    int64_t exponent = hil_vector_i64(reader, exponents, index);
    if (exponent < -64 || exponent > 64) {
        hil_read_fault(reader, exponents.at + 8 * index, "exponent");
        return 0;
    }
    return (int32_t)exponent;
}

void hil_espdl_value(hil_espdl_t *espdl, hil_table_t table, hil_espdl_value_t *value)
{
    hil_reader_t *reader = &espdl->reader;
    memset(value, 0, sizeof *value);
    value->name = hil_field_string(reader, table, 0);
    hil_vector_t exponents = hil_field_vector(reader, table, 3, 8);
    if (exponents.count != 0) {
        value->exponent = read_exponent(reader, exponents, 0);
    }
    hil_table_t type = hil_field_table(reader, table, 1);
    if (hil_field_u8(reader, type, 0) != 1) {
        return; /* not a tensor type: of no use to any node */
    }
    hil_table_t tensor_type = hil_field_table(reader, type, 1);
    value->dtype = (hil_dtype_t)hil_field_i32(reader, tensor_type, 0);
    hil_table_t shape = hil_field_table(reader, tensor_type, 1);
    if (shape.at == 0) {
        return;
    }
    hil_vector_t dims = hil_field_vector(reader, shape, 0, 4);
    if (dims.count > HIL_MAX_RANK) {
        hil_read_fault(reader, dims.at, "rank of a value");
        return;
    }
    value->has_shape = true;
    value->rank = dims.count;
    uint32_t count = 1;
    for (uint32_t i = 0; i < dims.count; i++) {
        hil_table_t dim_value = hil_field_table(reader, hil_vector_table(reader, dims, i), 0);
        if (hil_field_u8(reader, dim_value, 0) != 1) {
            value->has_shape = false; /* a symbolic dimension */
            continue;
        }
        value->dims[i] =
            add_dim(reader, dims.at + 4 * i, hil_field_i64(reader, dim_value, 1), &count);
    }
}

void hil_espdl_node(hil_espdl_t *espdl, uint32_t index, hil_espdl_node_t *node)
{
    hil_reader_t *reader = &espdl->reader;
    hil_table_t table = hil_vector_table(reader, espdl->nodes, index);
    node->inputs = hil_field_vector(reader, table, 0, 4);
    node->outputs = hil_field_vector(reader, table, 1, 4);
    node->name = hil_field_string(reader, table, 2);
    node->op_type = hil_field_string(reader, table, 3);
    node->attributes = hil_field_vector(reader, table, 5, 4);
}

hil_table_t hil_espdl_attribute(hil_espdl_t *espdl, hil_vector_t attributes, const char *name,
                                hil_attribute_type_t type)
{
    hil_reader_t *reader = &espdl->reader;
    for (uint32_t i = 0; i < attributes.count; i++) {
        hil_table_t table = hil_vector_table(reader, attributes, i);
        if (hil_name_is(hil_field_string(reader, table, 0), name) &&
            hil_field_i32(reader, table, 3) == (int32_t)type) {
            return table;
        }
    }
    return (hil_table_t){0, 0, 0, 0};
}

hil_name_t hil_espdl_metadata(hil_espdl_t *espdl, const char *key)
{
    hil_reader_t *reader = &espdl->reader;
    for (uint32_t i = 0; i < espdl->metadata.count; i++) {
        hil_table_t entry = hil_vector_table(reader, espdl->metadata, i);
        if (hil_name_is(hil_field_string(reader, entry, 0), key)) {
            return hil_field_string(reader, entry, 1);
        }
    }
    return (hil_name_t){"", 0};
}
