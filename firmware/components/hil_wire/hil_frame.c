/* Frames: COBS and CRC-32 around packets. */
#include <string.h>

#include "hil_bytes.h"
#include "hil_frame.h"
#include "hil_hash.h"

#define BLOCK_MAX 254

static void start_packet(hil_frame_decoder_t *decoder)
{
    decoder->size = 0;
    decoder->left = 0;
    decoder->zero_follows = false;
    decoder->broken = false;
}

void hil_frame_decoder_begin(hil_frame_decoder_t *decoder)
{
    start_packet(decoder);
    decoder->dropped = 0;
}

static void append(hil_frame_decoder_t *decoder, const uint8_t *data, size_t size)
{
    if (decoder->broken || size > sizeof(decoder->packet) - decoder->size) {
        decoder->broken = true;
        return;
    }
    memcpy(decoder->packet + decoder->size, data, size);
    decoder->size += size;
}

static void begin_block(hil_frame_decoder_t *decoder, uint8_t code)
{
    static const uint8_t zero = 0;
    if (decoder->zero_follows) {
        append(decoder, &zero, 1);
    }
    decoder->left = (uint8_t)(code - 1);
    decoder->zero_follows = code <= BLOCK_MAX;
}

/* At a zero byte: is what stands in the buffer a packet? */
static bool end_packet(const hil_frame_decoder_t *decoder, hil_packet_t *packet)
{
    if (decoder->broken || decoder->left > 0 || decoder->size < HIL_PACKET_HEAD + HIL_PACKET_TAIL ||
        decoder->packet[0] != HIL_FRAME_MAGIC) {
        return false;
    }
    size_t covered = decoder->size - HIL_PACKET_TAIL;
    if (hil_crc32(0, decoder->packet, covered) != hil_get_le32(decoder->packet + covered)) {
        return false;
    }
    packet->type = decoder->packet[1];
    packet->seq = hil_get_le16(decoder->packet + 2);
    packet->body = decoder->packet + HIL_PACKET_HEAD;
    packet->body_size = covered - HIL_PACKET_HEAD;
    return true;
}

size_t hil_frame_feed(hil_frame_decoder_t *decoder, const uint8_t *data, size_t size,
                      hil_packet_t *packet, bool *found)
{
    size_t at = 0;
    *found = false;
    while (at < size && !*found) {
        if (data[at] == 0) {
            bool empty = decoder->size == 0 && decoder->left == 0 && !decoder->zero_follows;
            *found = end_packet(decoder, packet);
            decoder->dropped += !*found && !empty;
            start_packet(decoder);
            at++;
        } else if (decoder->left == 0) {
            begin_block(decoder, data[at]);
            at++;
        } else {
            size_t run = size - at < decoder->left ? size - at : decoder->left;
            const uint8_t *zero = memchr(data + at, 0, run);
            run = zero != NULL ? (size_t)(zero - (data + at)) : run;
            append(decoder, data + at, run);
            decoder->left = (uint8_t)(decoder->left - run);
            at += run;
        }
    }
    return at;
}

/* Reads ahead of what it writes: the packet lies HIL_FRAME_EXTRA bytes further on. */
static size_t encode_in_place(uint8_t *bytes, size_t packet_size)
{
    const uint8_t *packet = bytes + HIL_FRAME_EXTRA;
    size_t out = 0;
    bytes[out++] = 0;
    size_t code_at = out++;
    uint8_t code = 1;
    for (size_t i = 0; i < packet_size; i++) {
        if (code == BLOCK_MAX + 1) { /* full, and more to come: no zero is implied */
            bytes[code_at] = code;
            code_at = out++;
            code = 1;
        }
        if (packet[i] == 0) {
            bytes[code_at] = code;
            code_at = out++;
            code = 1;
        } else {
            bytes[out++] = packet[i];
            code++;
        }
    }
    bytes[code_at] = code;
    bytes[out++] = 0;
    return out;
}

size_t hil_frame_seal(hil_frame_t *frame, uint8_t type, uint16_t seq, size_t body_size)
{
    uint8_t *packet = frame->bytes + HIL_FRAME_EXTRA;
    size_t covered = HIL_PACKET_HEAD + body_size;
    packet[0] = HIL_FRAME_MAGIC;
    packet[1] = type;
    hil_put_le16(packet + 2, seq);
    hil_put_le32(packet + covered, hil_crc32(0, packet, covered));
    return encode_in_place(frame->bytes, covered + HIL_PACKET_TAIL);
}
