/* Inflate's input side: bits as they come, and canonical Huffman codes over them. */
#ifndef HIL_INFLATE_BITS_H
#define HIL_INFLATE_BITS_H

#include "hil_inflate.h"

/* What a step came to. */
typedef enum { HIL_MOVED, HIL_WAITING, HIL_FAILED } hil_outcome_t;

/* Keeps the error; HIL_FAILED. */
hil_outcome_t hil_inflate_fail(hil_inflate_t *inflate, hil_status_t status, const char *what);

/* Moves input bytes into the bits in hand, as many as there is room for. */
static inline void hil_inflate_refill(hil_inflate_t *inflate)
{
    while (inflate->bit_count <= 56 && inflate->input_left > 0) {
        inflate->bits |= (uint64_t)*inflate->input << inflate->bit_count;
        inflate->bit_count = (uint8_t)(inflate->bit_count + 8);
        inflate->input++;
        inflate->input_left--;
    }
}

static inline bool hil_inflate_have_bits(hil_inflate_t *inflate, unsigned count)
{
    if (inflate->bit_count < count) {
        hil_inflate_refill(inflate);
    }
    return inflate->bit_count >= count;
}

static inline uint32_t hil_inflate_peek_bits(const hil_inflate_t *inflate, unsigned count)
{
    return (uint32_t)(inflate->bits & (((uint64_t)1 << count) - 1));
}

static inline void hil_inflate_drop_bits(hil_inflate_t *inflate, unsigned count)
{
    inflate->bits >>= count;
    inflate->bit_count = (uint8_t)(inflate->bit_count - count);
}

static inline uint32_t hil_inflate_take_bits(hil_inflate_t *inflate, unsigned count)
{
    uint32_t value = hil_inflate_peek_bits(inflate, count);
    hil_inflate_drop_bits(inflate, count);
    return value;
}

/*
 * Builds the code from its lengths. False if more codes are asked for than there are; or fewer,
 * which RFC 1951 allows only to a code of one symbol or none (`may_be_short`).
 */
bool hil_huffman_build(hil_huffman_t *huffman, const uint8_t *lengths, uint32_t symbols,
                       bool may_be_short);
/* Takes one symbol's bits, or none and HIL_WAITING; HIL_FAILED where the bits are no code. */
hil_outcome_t hil_huffman_decode(hil_inflate_t *inflate, const hil_huffman_t *huffman,
                                 uint16_t *symbol);

#endif
