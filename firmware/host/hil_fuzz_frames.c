/*
 * Fuzz target of the frame decoder: any bytes from a line, cut anywhere.
 *
 * The invariant: the same packets come out however the bytes are cut; each has a body within the
 * limit, and sealed again it decodes to itself, also between noise.
 */
#include <string.h>

#include "hil_frame.h"
#include "hil_fuzz.h"
#include "hil_hash.h"

#define PIECES_MAX 64

typedef struct {
    uint64_t sum;
    uint32_t count;
} found_t;

static void note(found_t *found, const hil_packet_t *packet)
{
    HIL_FUZZ_REQUIRE(packet->body_size <= HIL_BODY_MAX);
    found->sum = hil_xxh64(packet->body, packet->body_size,
                           found->sum ^ packet->type ^ (uint64_t)packet->seq << 8);
    found->count++;
}

static void decode_again(const hil_packet_t *packet)
{
    static hil_frame_t frame;
    static hil_frame_decoder_t decoder;
    uint8_t type = packet->type;
    uint16_t seq = packet->seq;
    memcpy(frame.bytes + HIL_FRAME_BODY_AT, packet->body, packet->body_size);
    size_t size = hil_frame_seal(&frame, type, seq, packet->body_size);
    HIL_FUZZ_REQUIRE(size <= HIL_FRAME_MAX && frame.bytes[0] == 0 && frame.bytes[size - 1] == 0);
    hil_packet_t again;
    bool found;
    hil_frame_decoder_begin(&decoder);
    HIL_FUZZ_REQUIRE(hil_frame_feed(&decoder, frame.bytes, size, &again, &found) == size);
    HIL_FUZZ_REQUIRE(found && again.type == type && again.seq == seq);
    HIL_FUZZ_REQUIRE(again.body_size == packet->body_size &&
                     memcmp(again.body, packet->body, again.body_size) == 0);
}

/* Feeds a stretch; what is taken never exceeds what is given. */
static void feed(hil_frame_decoder_t *decoder, const uint8_t *data, size_t size, found_t *found)
{
    size_t at = 0;
    while (at < size) {
        hil_packet_t packet;
        bool any;
        size_t taken = hil_frame_feed(decoder, data + at, size - at, &packet, &any);
        HIL_FUZZ_REQUIRE(taken > 0 && taken <= size - at && (any || taken == size - at));
        if (any) {
            note(found, &packet);
            decode_again(&packet);
        }
        at += taken;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hil_frame_decoder_t decoder;
    found_t whole = {0, 0};
    hil_frame_decoder_begin(&decoder);
    feed(&decoder, data, size, &whole);

    found_t cut = {0, 0};
    uint64_t dice = hil_xxh64(data, size, 0) | 1;
    hil_frame_decoder_begin(&decoder);
    size_t at = 0;
    for (int piece = 0; at < size; piece++) {
        size_t length = piece < PIECES_MAX ? 1 + hil_fuzz_below(&dice, 40) : size - at;
        length = length < size - at ? length : size - at;
        feed(&decoder, data + at, length, &cut);
        at += length;
    }
    HIL_FUZZ_REQUIRE(whole.sum == cut.sum && whole.count == cut.count);
    return 0;
}

/* A new frame around a changed body, in place of the one that stood there. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed)
{
    static hil_frame_decoder_t decoder;
    static hil_frame_t frame;
    uint64_t dice = hil_fuzz_dice(seed);
    size_t begin = 0;
    size_t end = 0;
    hil_packet_t packet;
    bool found = false;
    size_t skipped = hil_fuzz_below(&dice, 4);
    hil_frame_decoder_begin(&decoder);
    while (end < size && hil_fuzz_below(&dice, 4) != 0) {
        begin = end;
        end += hil_frame_feed(&decoder, data + end, size - end, &packet, &found);
        if (!found || skipped-- == 0) {
            break;
        }
    }
    if (!found) {
        return LLVMFuzzerMutate(data, size, capacity);
    }
    uint8_t *body = frame.bytes + HIL_FRAME_BODY_AT;
    memcpy(body, packet.body, packet.body_size);
    size_t body_size = LLVMFuzzerMutate(body, packet.body_size, HIL_BODY_MAX);
    uint8_t type = hil_fuzz_below(&dice, 4) == 0 ? (uint8_t)hil_fuzz_next(&dice) : packet.type;
    size_t sealed = hil_frame_seal(&frame, type, packet.seq, body_size);
    size_t tail = size - end;
    if (sealed + tail > capacity - begin) {
        return LLVMFuzzerMutate(data, size, capacity);
    }
    memmove(data + begin + sealed, data + end, tail);
    memcpy(data + begin, frame.bytes, sealed);
    return begin + sealed + tail;
}
