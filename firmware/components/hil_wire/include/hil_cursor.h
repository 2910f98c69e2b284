/*
 * Bounded reading and writing of message bodies.
 *
 * The law of this file: no body byte is touched but through one bounds check. The first step
 * beyond the end clears `ok`; from then on reads give zero and writes do nothing, so a whole
 * message is read first and `ok` is looked at once.
 */
#ifndef HIL_CURSOR_H
#define HIL_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool ok;
} hil_cursor_t;

typedef struct {
    uint8_t *data;
    size_t capacity;
    size_t at;
    bool ok;
} hil_writer_t;

hil_cursor_t hil_cursor(const void *data, size_t size);
/* `size` bytes of the body, or NULL and not ok. */
const uint8_t *hil_take(hil_cursor_t *cursor, size_t size);
uint8_t hil_take_u8(hil_cursor_t *cursor);
uint16_t hil_take_u16(hil_cursor_t *cursor);
uint32_t hil_take_u32(hil_cursor_t *cursor);
/* All that is left; its size goes to `size`. Never NULL while ok. */
const uint8_t *hil_take_rest(hil_cursor_t *cursor, size_t *size);
/* Whether the body was neither too short nor too long. */
bool hil_cursor_complete(const hil_cursor_t *cursor);

hil_writer_t hil_writer(void *data, size_t capacity);
/* Room for `size` bytes that the caller fills, or NULL and not ok. */
uint8_t *hil_put_room(hil_writer_t *writer, size_t size);
void hil_put(hil_writer_t *writer, const void *data, size_t size);
void hil_put_u8(hil_writer_t *writer, uint8_t value);
void hil_put_u16(hil_writer_t *writer, uint16_t value);
void hil_put_u32(hil_writer_t *writer, uint32_t value);
void hil_put_u64(hil_writer_t *writer, uint64_t value);
/* A u16 size and the bytes. */
void hil_put_string(hil_writer_t *writer, const char *text, size_t size);
void hil_put_text(hil_writer_t *writer, const char *text);

#endif
