/*
 * Frames: packets in COBS between zero bytes (docs/protocol.md, "Frames").
 *
 * The law of this file: whatever bytes come in, a packet comes out only if its CRC holds, and
 * the next zero byte starts afresh. All memory is the caller's; nothing is longer than the
 * constants below.
 */
#ifndef HIL_FRAME_H
#define HIL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIL_PROTOCOL_VERSION 2
#define HIL_FRAME_MAGIC 0xE5

#define HIL_CHUNK_MAX 4096
#define HIL_BODY_MAX (HIL_CHUNK_MAX + 64)
#define HIL_PACKET_HEAD 4 /* magic, type, seq */
#define HIL_PACKET_TAIL 4 /* CRC-32 */
#define HIL_PACKET_MAX (HIL_PACKET_HEAD + HIL_BODY_MAX + HIL_PACKET_TAIL)
/* What COBS and the two zero bytes add at most. */
#define HIL_FRAME_EXTRA (HIL_PACKET_MAX / 254 + 1 + 2)
#define HIL_FRAME_MAX (HIL_PACKET_MAX + HIL_FRAME_EXTRA)

typedef struct {
    uint8_t type;
    uint16_t seq;
    const uint8_t *body; /* inside the decoder, until the next feed */
    size_t body_size;
} hil_packet_t;

typedef struct {
    uint8_t packet[HIL_PACKET_MAX];
    size_t size;       /* decoded so far */
    uint8_t left;      /* bytes until the next code byte; 0: a code byte comes */
    bool zero_follows; /* the block in hand ends with a zero, should another block follow */
    bool broken;       /* too long for a packet: noise up to the next zero byte */
    uint32_t dropped;  /* stretches between zero bytes that were no packet */
} hil_frame_decoder_t;

void hil_frame_decoder_begin(hil_frame_decoder_t *decoder);

/*
 * Takes bytes up to the end of the first valid packet; returns how many it took. `*found` says
 * whether `*packet` was filled; if not, all bytes were taken.
 */
size_t hil_frame_feed(hil_frame_decoder_t *decoder, const uint8_t *data, size_t size,
                      hil_packet_t *packet, bool *found);

/* A frame being written: the body goes to `bytes + HIL_FRAME_BODY_AT`. */
typedef struct {
    uint8_t bytes[HIL_FRAME_MAX];
} hil_frame_t;

#define HIL_FRAME_BODY_AT (HIL_FRAME_EXTRA + HIL_PACKET_HEAD)

/*
 * Puts head and CRC around the body of `body_size` bytes (at most HIL_BODY_MAX), and encodes the
 * packet in place. Returns the size of the frame, which starts at `frame->bytes`.
 */
size_t hil_frame_seal(hil_frame_t *frame, uint8_t type, uint16_t seq, size_t body_size);

#endif
