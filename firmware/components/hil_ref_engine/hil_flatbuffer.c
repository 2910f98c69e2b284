/* Bounded reading of a flatbuffer: see the header for the law. */
#include "hil_flatbuffer.h"

#include <string.h>

void hil_read_fault(hil_reader_t *reader, uint32_t at, const char *what)
{
    if (reader->fault == NULL) {
        reader->fault = what;
        reader->fault_offset = at;
    }
}

const uint8_t *hil_read_bytes(hil_reader_t *reader, uint32_t at, uint32_t size)
{
    if (reader->fault != NULL) {
        return NULL;
    }
    if (at > reader->size || size > reader->size - at) {
        hil_read_fault(reader, at, "offset leaves the file");
        return NULL;
    }
    return reader->data + at;
}

uint16_t hil_read_u16(hil_reader_t *reader, uint32_t at)
{
    const uint8_t *bytes = hil_read_bytes(reader, at, 2);
    if (bytes == NULL) {
        return 0;
    }
    return (uint16_t)((uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8));
}

uint32_t hil_read_u32(hil_reader_t *reader, uint32_t at)
{
    const uint8_t *bytes = hil_read_bytes(reader, at, 4);
    if (bytes == NULL) {
        return 0;
    }
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) |
           ((uint32_t)bytes[3] << 24);
}

int64_t hil_read_i64(hil_reader_t *reader, uint32_t at)
{
    if (hil_read_bytes(reader, at, 8) == NULL) {
        return 0;
    }
    uint64_t low = hil_read_u32(reader, at);
    uint64_t high = hil_read_u32(reader, at + 4);
    return (int64_t)(low | (high << 32));
}

float hil_read_f32(hil_reader_t *reader, uint32_t at)
{
    uint32_t bits = hil_read_u32(reader, at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const hil_table_t no_table = {0, 0, 0, 0};
static const hil_vector_t no_vector = {0, 0};

/* A forward offset stored at `at`; 0 and a fault where it leaves the buffer. */
static uint32_t follow(hil_reader_t *reader, uint32_t at)
{
    uint32_t offset = hil_read_u32(reader, at);
    if (reader->fault != NULL) {
        return 0;
    }
    if (offset == 0 || offset > reader->size - at) {
        hil_read_fault(reader, at, "reference leaves the file");
        return 0;
    }
    return at + offset;
}

static hil_table_t table_at(hil_reader_t *reader, uint32_t at)
{
    hil_table_t table = {at, 0, 0, 0};
    int64_t vtable = (int64_t)at - (int32_t)hil_read_u32(reader, at);
    if (reader->fault != NULL) {
        return no_table;
    }
    if (vtable < 0 || vtable > (int64_t)reader->size) {
        hil_read_fault(reader, at, "vtable leaves the file");
        return no_table;
    }
    table.vtable = (uint32_t)vtable;
    uint32_t vtable_size = hil_read_u16(reader, table.vtable);
    table.size = hil_read_u16(reader, table.vtable + 2);
    if (reader->fault != NULL) {
        return no_table;
    }
    if (vtable_size < 4 || vtable_size % 2 != 0 ||
        hil_read_bytes(reader, table.vtable, vtable_size) == NULL) {
        hil_read_fault(reader, table.vtable, "vtable size");
        return no_table;
    }
    if (table.size < 4 || hil_read_bytes(reader, at, table.size) == NULL) {
        hil_read_fault(reader, at, "table size");
        return no_table;
    }
    table.field_count = (vtable_size - 4) / 2;
    return table;
}

hil_table_t hil_read_root(hil_reader_t *reader)
{
    uint32_t at = follow(reader, 0);
    return at == 0 ? no_table : table_at(reader, at);
}

/* Position of an inline field of `size` bytes; 0 where the field is absent. */
static uint32_t field_at(hil_reader_t *reader, hil_table_t table, uint32_t field, uint32_t size)
{
    if (table.at == 0 || field >= table.field_count) {
        return 0;
    }
    uint32_t offset = hil_read_u16(reader, table.vtable + 4 + 2 * field);
    if (offset == 0 || reader->fault != NULL) {
        return 0;
    }
    if (offset < 4 || offset > table.size || size > table.size - offset) {
        hil_read_fault(reader, table.vtable + 4 + 2 * field, "field leaves its table");
        return 0;
    }
    return table.at + offset;
}

bool hil_field_present(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    return field_at(reader, table, field, 1) != 0;
}

int32_t hil_field_i32(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    uint32_t at = field_at(reader, table, field, 4);
    return at == 0 ? 0 : (int32_t)hil_read_u32(reader, at);
}

int64_t hil_field_i64(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    uint32_t at = field_at(reader, table, field, 8);
    return at == 0 ? 0 : hil_read_i64(reader, at);
}

float hil_field_f32(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    uint32_t at = field_at(reader, table, field, 4);
    return at == 0 ? 0.0f : hil_read_f32(reader, at);
}

uint8_t hil_field_u8(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    uint32_t at = field_at(reader, table, field, 1);
    const uint8_t *byte = at == 0 ? NULL : hil_read_bytes(reader, at, 1);
    return byte == NULL ? 0 : *byte;
}

hil_table_t hil_field_table(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    uint32_t at = field_at(reader, table, field, 4);
    uint32_t target = at == 0 ? 0 : follow(reader, at);
    return target == 0 ? no_table : table_at(reader, target);
}

static hil_vector_t vector_at(hil_reader_t *reader, uint32_t at, uint32_t element_size)
{
    hil_vector_t vector = {0, hil_read_u32(reader, at)};
    if (reader->fault != NULL) {
        return no_vector;
    }
    if (vector.count > (reader->size - at - 4) / element_size) {
        hil_read_fault(reader, at, "vector leaves the file");
        return no_vector;
    }
    vector.at = at + 4;
    return vector;
}

hil_vector_t hil_field_vector(hil_reader_t *reader, hil_table_t table, uint32_t field,
                              uint32_t element_size)
{
    uint32_t at = field_at(reader, table, field, 4);
    uint32_t target = at == 0 ? 0 : follow(reader, at);
    return target == 0 ? no_vector : vector_at(reader, target, element_size);
}

static hil_name_t string_at(hil_reader_t *reader, uint32_t at)
{
    hil_name_t name = {"", 0};
    hil_vector_t vector = vector_at(reader, at, 1);
    if (vector.count != 0) {
        name.data = (const char *)hil_read_bytes(reader, vector.at, vector.count);
        name.size = vector.count;
    }
    return name;
}

hil_name_t hil_field_string(hil_reader_t *reader, hil_table_t table, uint32_t field)
{
    uint32_t at = field_at(reader, table, field, 4);
    uint32_t target = at == 0 ? 0 : follow(reader, at);
    return target == 0 ? (hil_name_t){"", 0} : string_at(reader, target);
}

hil_table_t hil_vector_table(hil_reader_t *reader, hil_vector_t vector, uint32_t index)
{
    uint32_t target = follow(reader, vector.at + 4 * index);
    return target == 0 ? no_table : table_at(reader, target);
}

hil_name_t hil_vector_string(hil_reader_t *reader, hil_vector_t vector, uint32_t index)
{
    uint32_t target = follow(reader, vector.at + 4 * index);
    return target == 0 ? (hil_name_t){"", 0} : string_at(reader, target);
}

int64_t hil_vector_i64(hil_reader_t *reader, hil_vector_t vector, uint32_t index)
{
    return hil_read_i64(reader, vector.at + 8 * index);
}

float hil_vector_f32(hil_reader_t *reader, hil_vector_t vector, uint32_t index)
{
    return hil_read_f32(reader, vector.at + 4 * index);
}

bool hil_name_is(hil_name_t name, const char *text)
{
    return name.size == strlen(text) && memcmp(name.data, text, name.size) == 0;
}

bool hil_name_equal(hil_name_t a, hil_name_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
