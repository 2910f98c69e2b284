/*
 * Bounded reading of a flatbuffer.
 *
 * The law of this file: no byte of the buffer is touched but through hil_read_bytes. The first
 * fault (an offset, size or count that leaves the buffer) is kept with its position; from then on
 * every read gives zero, every vector is empty, every table absent. So a caller may read a whole
 * section and look at `fault` once, and no loop is longer than the buffer.
 *
 * Positions are offsets from the start of the buffer. A table or vector at position 0 is absent:
 * position 0 holds the root offset of every flatbuffer.
 */
#ifndef HIL_FLATBUFFER_H
#define HIL_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "hil_engine.h"

typedef struct {
    const uint8_t *data;
    uint32_t size;
    const char *fault;     /* constant text of the first fault; NULL while all is well */
    uint32_t fault_offset; /* its position */
} hil_reader_t;

typedef struct {
    uint32_t at; /* 0: absent */
    uint32_t vtable;
    uint32_t field_count;
    uint32_t size; /* bytes of the table, for the check of inline fields */
} hil_table_t;

typedef struct {
    uint32_t at; /* of element 0; 0: absent */
    uint32_t count;
} hil_vector_t;

/* `size` readable bytes at `at`, or NULL and a fault. */
const uint8_t *hil_read_bytes(hil_reader_t *reader, uint32_t at, uint32_t size);
uint16_t hil_read_u16(hil_reader_t *reader, uint32_t at);
uint32_t hil_read_u32(hil_reader_t *reader, uint32_t at);
int64_t hil_read_i64(hil_reader_t *reader, uint32_t at);
float hil_read_f32(hil_reader_t *reader, uint32_t at);
void hil_read_fault(hil_reader_t *reader, uint32_t at, const char *what);

hil_table_t hil_read_root(hil_reader_t *reader);

/* Fields by number (order in the schema); an absent field gives 0, an absent table or vector. */
int32_t hil_field_i32(hil_reader_t *reader, hil_table_t table, uint32_t field);
int64_t hil_field_i64(hil_reader_t *reader, hil_table_t table, uint32_t field);
float hil_field_f32(hil_reader_t *reader, hil_table_t table, uint32_t field);
uint8_t hil_field_u8(hil_reader_t *reader, hil_table_t table, uint32_t field);
bool hil_field_present(hil_reader_t *reader, hil_table_t table, uint32_t field);
hil_table_t hil_field_table(hil_reader_t *reader, hil_table_t table, uint32_t field);
hil_vector_t hil_field_vector(hil_reader_t *reader, hil_table_t table, uint32_t field,
                              uint32_t element_size);
hil_name_t hil_field_string(hil_reader_t *reader, hil_table_t table, uint32_t field);

/* Elements of vectors; `index` below `count` is the caller's duty. */
hil_table_t hil_vector_table(hil_reader_t *reader, hil_vector_t vector, uint32_t index);
hil_name_t hil_vector_string(hil_reader_t *reader, hil_vector_t vector, uint32_t index);
int64_t hil_vector_i64(hil_reader_t *reader, hil_vector_t vector, uint32_t index);
float hil_vector_f32(hil_reader_t *reader, hil_vector_t vector, uint32_t index);

bool hil_name_is(hil_name_t name, const char *text);
bool hil_name_equal(hil_name_t a, hil_name_t b);

#endif
