/*
 * A streaming zlib decoder (RFC 1950, 1951) that can stop at any byte.
 *
 * The law of this file: any input ends in HIL_OK or a named error; no byte is read or written
 * outside the structure, and no more than the promised size comes out. No allocation.
 */
#ifndef HIL_INFLATE_H
#define HIL_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hil_status.h"

#define HIL_INFLATE_WINDOW 32768u
#define HIL_INFLATE_FAST_BITS 9
#define HIL_INFLATE_SYMBOLS 288
#define HIL_INFLATE_DISTANCES 32

/* Receives plain bytes, in order; anything but HIL_OK ends the stream with that status. */
typedef hil_status_t (*hil_inflate_sink_t)(void *user, const uint8_t *data, size_t size);

/* A canonical Huffman code: a table for short codes, counts and sorted symbols for long ones. */
typedef struct {
    uint16_t fast[1u << HIL_INFLATE_FAST_BITS]; /* symbol << 4 | length; 0: longer, or no code */
    uint16_t count[16];                         /* codes of each length */
    uint16_t sorted[HIL_INFLATE_SYMBOLS];
} hil_huffman_t;

typedef struct {
    hil_inflate_sink_t sink;
    void *user;
    uint32_t promised;  /* plain bytes that must come out */
    uint32_t produced;  /* plain bytes so far */
    uint32_t delivered; /* of these, handed to the sink */
    uint32_t adler;
    hil_status_t status; /* sticky */
    const char *what;    /* constant text of the error */
    uint8_t step;
    bool last_block;
    uint8_t bit_count;
    uint64_t bits; /* not yet used, next bit lowest */
    const uint8_t *input;
    size_t input_left;
    uint32_t remaining;     /* of a stored block */
    uint16_t match_length;  /* of the match in hand */
    uint16_t symbol;        /* whose extra bits are awaited */
    uint16_t length_count;  /* code lengths read so far */
    uint16_t literal_count; /* announced by a dynamic block */
    uint8_t distance_count;
    uint8_t code_count;
    uint8_t lengths[HIL_INFLATE_SYMBOLS + HIL_INFLATE_DISTANCES];
    hil_huffman_t literals;
    hil_huffman_t distances;
    uint8_t window[HIL_INFLATE_WINDOW];
} hil_inflate_t;

void hil_inflate_begin(hil_inflate_t *inflate, uint32_t promised, hil_inflate_sink_t sink,
                       void *user);
/* Takes all of `data`. HIL_ERR_INFLATE, or the sink's status; every later call repeats it. */
HIL_CHECK_RESULT hil_status_t hil_inflate_feed(hil_inflate_t *inflate, const uint8_t *data,
                                               size_t size);
/* Whether the stream ended, with the promised size and the right Adler-32. */
bool hil_inflate_done(const hil_inflate_t *inflate);

#endif
