/*
 * A streaming zlib decoder, as a state machine over bits.
 *
 * Each step either has all the bits that it needs and moves on, or takes none and waits; so the
 * machine may stop after any byte. Nothing here knows how the stream was cut.
 */
#include <string.h>

#include "hil_hash.h"
#include "hil_inflate_bits.h"

#define END_OF_BLOCK 256
#define FIRST_LENGTH 257
#define LENGTH_SYMBOLS 29
#define DISTANCE_SYMBOLS 30
#define CODE_LENGTH_SYMBOLS 19

typedef enum {
    STEP_HEADER,
    STEP_BLOCK,
    STEP_STORED_SIZE,
    STEP_STORED_BYTES,
    STEP_COUNTS,
    STEP_CODE_LENGTHS,
    STEP_LENGTHS,
    STEP_SYMBOL,
    STEP_LENGTH_EXTRA,
    STEP_DISTANCE,
    STEP_DISTANCE_EXTRA,
    STEP_CHECKSUM,
    STEP_DONE
} step_t;

static const uint16_t LENGTH_BASE[LENGTH_SYMBOLS] = {
    3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23,  27,
    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
};
static const uint8_t LENGTH_EXTRA[LENGTH_SYMBOLS] = {
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
};
static const uint16_t DISTANCE_BASE[DISTANCE_SYMBOLS] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
};
static const uint8_t DISTANCE_EXTRA[DISTANCE_SYMBOLS] = {
    0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
    6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
};
static const uint8_t CODE_LENGTH_ORDER[CODE_LENGTH_SYMBOLS] = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
};

/* --- Output ------------------------------------------------------------------------------- */

/* Hands out what lies between `delivered` and `produced`, which never wraps in between. */
static hil_outcome_t deliver(hil_inflate_t *inflate)
{
    uint32_t size = inflate->produced - inflate->delivered;
    if (size == 0) {
        return HIL_MOVED;
    }
    const uint8_t *from = inflate->window + inflate->delivered % HIL_INFLATE_WINDOW;
    inflate->adler = hil_adler32(inflate->adler, from, size);
    inflate->delivered = inflate->produced;
    hil_status_t status = inflate->sink(inflate->user, from, size);
    return status == HIL_OK ? HIL_MOVED
                            : hil_inflate_fail(inflate, status, "inflate: sink refused");
}

/* At most this many bytes may be produced before the next delivery or the end of the window. */
static uint32_t window_room(const hil_inflate_t *inflate)
{
    return HIL_INFLATE_WINDOW - inflate->produced % HIL_INFLATE_WINDOW;
}

static hil_outcome_t produced(hil_inflate_t *inflate, uint32_t size)
{
    inflate->produced += size;
    return inflate->produced % HIL_INFLATE_WINDOW == 0 ? deliver(inflate) : HIL_MOVED;
}

static hil_outcome_t promise_broken(hil_inflate_t *inflate)
{
    return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "inflate: more bytes than promised");
}

static hil_outcome_t copy_match(hil_inflate_t *inflate, uint32_t distance)
{
    uint32_t length = inflate->match_length;
    if (distance > inflate->produced) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: match before the start");
    }
    if (length > inflate->promised - inflate->produced) {
        return promise_broken(inflate);
    }
    hil_outcome_t outcome = HIL_MOVED;
    while (length > 0 && outcome == HIL_MOVED) {
        uint32_t to = inflate->produced % HIL_INFLATE_WINDOW;
        uint32_t from = (inflate->produced - distance) % HIL_INFLATE_WINDOW;
        uint32_t run = length < window_room(inflate) ? length : window_room(inflate);
        uint32_t until_wrap = HIL_INFLATE_WINDOW - from;
        run = run < until_wrap ? run : until_wrap;
        /* Beyond the distance a match repeats itself, and bytes must be copied one by one. Up to
         * it the source is old data, which may yet lie right above the target in the ring. */
        if (distance >= run) {
            memmove(inflate->window + to, inflate->window + from, run);
        } else {
            for (uint32_t i = 0; i < run; i++) {
                inflate->window[to + i] = inflate->window[from + i];
            }
        }
        length -= run;
        outcome = produced(inflate, run);
    }
    return outcome;
}

/* --- Steps -------------------------------------------------------------------------------- */

static hil_outcome_t read_header(hil_inflate_t *inflate)
{
    if (!hil_inflate_have_bits(inflate, 16)) {
        return HIL_WAITING;
    }
    uint32_t method = hil_inflate_take_bits(inflate, 8);
    uint32_t flags = hil_inflate_take_bits(inflate, 8);
    if ((method & 15) != 8 || method >> 4 > 7 || (method << 8 | flags) % 31 != 0) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "zlib: not a deflate stream");
    }
    if ((flags & 0x20) != 0) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "zlib: preset dictionary");
    }
    inflate->step = STEP_BLOCK;
    return HIL_MOVED;
}

static void use_fixed_codes(hil_inflate_t *inflate)
{
    memset(inflate->lengths, 8, 144);
    memset(inflate->lengths + 144, 9, 112);
    memset(inflate->lengths + 256, 7, 24);
    memset(inflate->lengths + 280, 8, 8);
    memset(inflate->lengths + HIL_INFLATE_SYMBOLS, 5, HIL_INFLATE_DISTANCES);
    /* Both codes are complete by RFC 1951, 3.2.6; the unused symbols are refused when met. */
    (void)hil_huffman_build(&inflate->literals, inflate->lengths, HIL_INFLATE_SYMBOLS, false);
    (void)hil_huffman_build(&inflate->distances, inflate->lengths + HIL_INFLATE_SYMBOLS,
                            HIL_INFLATE_DISTANCES, false);
}

static hil_outcome_t read_block(hil_inflate_t *inflate)
{
    if (inflate->last_block) {
        hil_inflate_drop_bits(inflate, inflate->bit_count % 8);
        inflate->step = STEP_CHECKSUM;
        return HIL_MOVED;
    }
    if (!hil_inflate_have_bits(inflate, 3)) {
        return HIL_WAITING;
    }
    inflate->last_block = hil_inflate_take_bits(inflate, 1) != 0;
    switch (hil_inflate_take_bits(inflate, 2)) {
    case 0:
        hil_inflate_drop_bits(inflate, inflate->bit_count % 8);
        inflate->step = STEP_STORED_SIZE;
        return HIL_MOVED;
    case 1:
        use_fixed_codes(inflate);
        inflate->step = STEP_SYMBOL;
        return HIL_MOVED;
    case 2:
        inflate->step = STEP_COUNTS;
        return HIL_MOVED;
    default:
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: block type 3");
    }
}

static hil_outcome_t read_stored_size(hil_inflate_t *inflate)
{
    if (!hil_inflate_have_bits(inflate, 32)) {
        return HIL_WAITING;
    }
    uint32_t size = hil_inflate_take_bits(inflate, 16);
    uint32_t complement = hil_inflate_take_bits(inflate, 16);
    if ((size ^ complement) != 0xFFFF) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: size of a stored block");
    }
    if (size > inflate->promised - inflate->produced) {
        return promise_broken(inflate);
    }
    inflate->remaining = size;
    inflate->step = STEP_STORED_BYTES;
    return HIL_MOVED;
}

static hil_outcome_t read_stored_bytes(hil_inflate_t *inflate)
{
    if (inflate->remaining == 0) {
        inflate->step = STEP_BLOCK;
        return HIL_MOVED;
    }
    uint8_t *to = inflate->window + inflate->produced % HIL_INFLATE_WINDOW;
    uint32_t run = window_room(inflate);
    run = run < inflate->remaining ? run : inflate->remaining;
    if (inflate->bit_count > 0) { /* whole bytes: stored data is aligned */
        *to = (uint8_t)hil_inflate_take_bits(inflate, 8);
        run = 1;
    } else if (inflate->input_left > 0) {
        run = run < inflate->input_left ? run : (uint32_t)inflate->input_left;
        memcpy(to, inflate->input, run);
        inflate->input += run;
        inflate->input_left -= run;
    } else {
        return HIL_WAITING;
    }
    inflate->remaining -= run;
    return produced(inflate, run);
}

static hil_outcome_t read_counts(hil_inflate_t *inflate)
{
    if (!hil_inflate_have_bits(inflate, 14)) {
        return HIL_WAITING;
    }
    inflate->literal_count = (uint16_t)(hil_inflate_take_bits(inflate, 5) + 257);
    inflate->distance_count = (uint8_t)(hil_inflate_take_bits(inflate, 5) + 1);
    inflate->code_count = (uint8_t)(hil_inflate_take_bits(inflate, 4) + 4);
    if (inflate->literal_count > 286 || inflate->distance_count > DISTANCE_SYMBOLS) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: too many codes");
    }
    memset(inflate->lengths, 0, CODE_LENGTH_SYMBOLS);
    inflate->length_count = 0;
    inflate->step = STEP_CODE_LENGTHS;
    return HIL_MOVED;
}

static hil_outcome_t read_code_lengths(hil_inflate_t *inflate)
{
    for (; inflate->length_count < inflate->code_count; inflate->length_count++) {
        if (!hil_inflate_have_bits(inflate, 3)) {
            return HIL_WAITING;
        }
        inflate->lengths[CODE_LENGTH_ORDER[inflate->length_count]] =
            (uint8_t)hil_inflate_take_bits(inflate, 3);
    }
    /* The code of the code lengths lives where that of the distances will be. */
    if (!hil_huffman_build(&inflate->distances, inflate->lengths, CODE_LENGTH_SYMBOLS, false)) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: code of code lengths");
    }
    inflate->length_count = 0;
    inflate->symbol = UINT16_MAX;
    inflate->step = STEP_LENGTHS;
    return HIL_MOVED;
}

static hil_outcome_t build_dynamic(hil_inflate_t *inflate)
{
    if (inflate->lengths[END_OF_BLOCK] == 0) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: block without an end");
    }
    if (!hil_huffman_build(&inflate->literals, inflate->lengths, inflate->literal_count, true) ||
        !hil_huffman_build(&inflate->distances, inflate->lengths + inflate->literal_count,
                           inflate->distance_count, true)) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: code lengths");
    }
    inflate->step = STEP_SYMBOL;
    return HIL_MOVED;
}

/* `symbol` keeps a repeat code whose extra bits have not come yet. */
static hil_outcome_t read_lengths(hil_inflate_t *inflate)
{
    uint32_t total = (uint32_t)inflate->literal_count + inflate->distance_count;
    if (inflate->length_count == total) {
        return build_dynamic(inflate);
    }
    if (inflate->symbol == UINT16_MAX) {
        hil_outcome_t outcome = hil_huffman_decode(inflate, &inflate->distances, &inflate->symbol);
        if (outcome != HIL_MOVED) {
            inflate->symbol = UINT16_MAX;
            return outcome;
        }
    }
    if (inflate->symbol < 16) {
        inflate->lengths[inflate->length_count++] = (uint8_t)inflate->symbol;
        inflate->symbol = UINT16_MAX;
        return HIL_MOVED;
    }

    static const uint8_t REPEAT_BITS[3] = {2, 3, 7};
    static const uint8_t REPEAT_BASE[3] = {3, 3, 11};
    unsigned kind = inflate->symbol - 16u;
    if (!hil_inflate_have_bits(inflate, REPEAT_BITS[kind])) {
        return HIL_WAITING;
    }
    uint32_t repeat = REPEAT_BASE[kind] + hil_inflate_take_bits(inflate, REPEAT_BITS[kind]);
    if (kind == 0 && inflate->length_count == 0) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: repeat of nothing");
    }
    if (repeat > total - inflate->length_count) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: repeat beyond the codes");
    }
    uint8_t value = kind == 0 ? inflate->lengths[inflate->length_count - 1] : 0;
    memset(inflate->lengths + inflate->length_count, value, repeat);
    inflate->length_count = (uint16_t)(inflate->length_count + repeat);
    inflate->symbol = UINT16_MAX;
    return HIL_MOVED;
}

static hil_outcome_t read_symbol(hil_inflate_t *inflate)
{
    for (;;) {
        uint16_t symbol;
        hil_outcome_t outcome = hil_huffman_decode(inflate, &inflate->literals, &symbol);
        if (outcome != HIL_MOVED) {
            return outcome;
        }
        if (symbol == END_OF_BLOCK) {
            inflate->step = STEP_BLOCK;
            return HIL_MOVED;
        }
        if (symbol > END_OF_BLOCK) {
            if (symbol >= FIRST_LENGTH + LENGTH_SYMBOLS) {
                return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: length symbol");
            }
            inflate->symbol = (uint16_t)(symbol - FIRST_LENGTH);
            inflate->step = STEP_LENGTH_EXTRA;
            return HIL_MOVED;
        }
        if (inflate->produced == inflate->promised) {
            return promise_broken(inflate);
        }
        inflate->window[inflate->produced % HIL_INFLATE_WINDOW] = (uint8_t)symbol;
        outcome = produced(inflate, 1);
        if (outcome != HIL_MOVED) {
            return outcome;
        }
    }
}

static hil_outcome_t read_length_extra(hil_inflate_t *inflate)
{
    unsigned extra = LENGTH_EXTRA[inflate->symbol];
    if (!hil_inflate_have_bits(inflate, extra)) {
        return HIL_WAITING;
    }
    inflate->match_length =
        (uint16_t)(LENGTH_BASE[inflate->symbol] + hil_inflate_take_bits(inflate, extra));
    inflate->step = STEP_DISTANCE;
    return HIL_MOVED;
}

static hil_outcome_t read_distance(hil_inflate_t *inflate)
{
    hil_outcome_t outcome = hil_huffman_decode(inflate, &inflate->distances, &inflate->symbol);
    if (outcome != HIL_MOVED) {
        return outcome;
    }
    if (inflate->symbol >= DISTANCE_SYMBOLS) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: distance symbol");
    }
    inflate->step = STEP_DISTANCE_EXTRA;
    return HIL_MOVED;
}

static hil_outcome_t read_distance_extra(hil_inflate_t *inflate)
{
    unsigned extra = DISTANCE_EXTRA[inflate->symbol];
    if (!hil_inflate_have_bits(inflate, extra)) {
        return HIL_WAITING;
    }
    uint32_t distance = DISTANCE_BASE[inflate->symbol] + hil_inflate_take_bits(inflate, extra);
    inflate->step = STEP_SYMBOL;
    return copy_match(inflate, distance);
}

static hil_outcome_t read_checksum(hil_inflate_t *inflate)
{
    if (!hil_inflate_have_bits(inflate, 32)) {
        return HIL_WAITING;
    }
    uint32_t expected = 0;
    for (unsigned i = 0; i < 4; i++) {
        expected = expected << 8 | hil_inflate_take_bits(inflate, 8);
    }
    hil_outcome_t outcome = deliver(inflate);
    if (outcome != HIL_MOVED) {
        return outcome;
    }
    if (expected != inflate->adler) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "zlib: Adler-32 does not match");
    }
    if (inflate->produced != inflate->promised) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "inflate: fewer bytes than promised");
    }
    inflate->step = STEP_DONE;
    return HIL_MOVED;
}

static hil_outcome_t refuse_rest(hil_inflate_t *inflate)
{
    if (inflate->bit_count > 0 || inflate->input_left > 0) {
        return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "zlib: bytes after the end");
    }
    return HIL_WAITING;
}

static hil_outcome_t advance(hil_inflate_t *inflate)
{
    switch ((step_t)inflate->step) {
    case STEP_HEADER:
        return read_header(inflate);
    case STEP_BLOCK:
        return read_block(inflate);
    case STEP_STORED_SIZE:
        return read_stored_size(inflate);
    case STEP_STORED_BYTES:
        return read_stored_bytes(inflate);
    case STEP_COUNTS:
        return read_counts(inflate);
    case STEP_CODE_LENGTHS:
        return read_code_lengths(inflate);
    case STEP_LENGTHS:
        return read_lengths(inflate);
    case STEP_SYMBOL:
        return read_symbol(inflate);
    case STEP_LENGTH_EXTRA:
        return read_length_extra(inflate);
    case STEP_DISTANCE:
        return read_distance(inflate);
    case STEP_DISTANCE_EXTRA:
        return read_distance_extra(inflate);
    case STEP_CHECKSUM:
        return read_checksum(inflate);
    case STEP_DONE:
        return refuse_rest(inflate);
    }
    return hil_inflate_fail(inflate, HIL_ERR_INTERNAL, "inflate: step");
}

void hil_inflate_begin(hil_inflate_t *inflate, uint32_t promised, hil_inflate_sink_t sink,
                       void *user)
{
    memset(inflate, 0, offsetof(hil_inflate_t, lengths));
    inflate->sink = sink;
    inflate->user = user;
    inflate->promised = promised;
    inflate->adler = 1;
    inflate->step = STEP_HEADER;
}

hil_status_t hil_inflate_feed(hil_inflate_t *inflate, const uint8_t *data, size_t size)
{
    if (inflate->status != HIL_OK) {
        return inflate->status;
    }
    inflate->input = data;
    inflate->input_left = size;
    hil_outcome_t outcome = HIL_MOVED;
    while (outcome == HIL_MOVED) {
        outcome = advance(inflate);
    }
    if (outcome == HIL_WAITING) {
        (void)deliver(inflate); /* what failed is in the status */
    }
    inflate->input = NULL;
    return inflate->status;
}

bool hil_inflate_done(const hil_inflate_t *inflate)
{
    return inflate->status == HIL_OK && inflate->step == STEP_DONE;
}
