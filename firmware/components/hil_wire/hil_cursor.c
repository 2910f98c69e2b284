/* Bounded reading and writing of message bodies. */
#include <string.h>

#include "hil_bytes.h"
#include "hil_cursor.h"

hil_cursor_t hil_cursor(const void *data, size_t size)
{
    return (hil_cursor_t){.data = data, .size = size, .at = 0, .ok = true};
}

const uint8_t *hil_take(hil_cursor_t *cursor, size_t size)
{
    if (!cursor->ok || size > cursor->size - cursor->at) {
        cursor->ok = false;
        return NULL;
    }
    const uint8_t *data = cursor->data + cursor->at;
    cursor->at += size;
    return data;
}

uint8_t hil_take_u8(hil_cursor_t *cursor)
{
    const uint8_t *data = hil_take(cursor, 1);
    return data != NULL ? *data : 0;
}

uint16_t hil_take_u16(hil_cursor_t *cursor)
{
    const uint8_t *data = hil_take(cursor, 2);
    return data != NULL ? hil_get_le16(data) : 0;
}

uint32_t hil_take_u32(hil_cursor_t *cursor)
{
    const uint8_t *data = hil_take(cursor, 4);
    return data != NULL ? hil_get_le32(data) : 0;
}

const uint8_t *hil_take_rest(hil_cursor_t *cursor, size_t *size)
{
    *size = cursor->ok ? cursor->size - cursor->at : 0;
    return hil_take(cursor, *size);
}

bool hil_cursor_complete(const hil_cursor_t *cursor)
{
    return cursor->ok && cursor->at == cursor->size;
}

hil_writer_t hil_writer(void *data, size_t capacity)
{
    return (hil_writer_t){.data = data, .capacity = capacity, .at = 0, .ok = true};
}

uint8_t *hil_put_room(hil_writer_t *writer, size_t size)
{
    if (!writer->ok || size > writer->capacity - writer->at) {
        writer->ok = false;
        return NULL;
    }
    uint8_t *room = writer->data + writer->at;
    writer->at += size;
    return room;
}

void hil_put(hil_writer_t *writer, const void *data, size_t size)
{
    uint8_t *room = hil_put_room(writer, size);
    if (room != NULL && size > 0) {
        memcpy(room, data, size);
    }
}

void hil_put_u8(hil_writer_t *writer, uint8_t value)
{
    hil_put(writer, &value, 1);
}

void hil_put_u16(hil_writer_t *writer, uint16_t value)
{
    uint8_t bytes[2];
    hil_put_le16(bytes, value);
    hil_put(writer, bytes, sizeof(bytes));
}

void hil_put_u32(hil_writer_t *writer, uint32_t value)
{
    uint8_t bytes[4];
    hil_put_le32(bytes, value);
    hil_put(writer, bytes, sizeof(bytes));
}

void hil_put_u64(hil_writer_t *writer, uint64_t value)
{
    uint8_t bytes[8];
    hil_put_le64(bytes, value);
    hil_put(writer, bytes, sizeof(bytes));
}

void hil_put_string(hil_writer_t *writer, const char *text, size_t size)
{
    if (size > UINT16_MAX) {
        writer->ok = false;
        return;
    }
    hil_put_u16(writer, (uint16_t)size);
    hil_put(writer, text, size);
}

void hil_put_text(hil_writer_t *writer, const char *text)
{
    hil_put_string(writer, text, strlen(text));
}
