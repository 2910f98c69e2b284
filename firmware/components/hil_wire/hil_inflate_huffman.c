/* Canonical Huffman codes of inflate. */
#include <string.h>

#include "hil_inflate_bits.h"

#define CODE_MAX 15
#define FAST_SIZE (1u << HIL_INFLATE_FAST_BITS)

hil_outcome_t hil_inflate_fail(hil_inflate_t *inflate, hil_status_t status, const char *what)
{
    inflate->status = status;
    inflate->what = what;
    return HIL_FAILED;
}

static uint32_t reverse_bits(uint32_t value, unsigned count)
{
    uint32_t reversed = 0;
    for (unsigned i = 0; i < count; i++) {
        reversed = reversed << 1 | (value >> i & 1);
    }
    return reversed;
}

bool hil_huffman_build(hil_huffman_t *huffman, const uint8_t *lengths, uint32_t symbols,
                       bool may_be_short)
{
    uint16_t next_code[CODE_MAX + 1];
    uint16_t next_index[CODE_MAX + 1];

    memset(huffman->count, 0, sizeof(huffman->count));
    memset(huffman->fast, 0, sizeof(huffman->fast));
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        huffman->count[lengths[symbol]]++;
    }
    uint32_t used = symbols - huffman->count[0];
    huffman->count[0] = 0;

    int32_t open = 1; /* codes of the length in hand that nobody has taken */
    uint32_t code = 0;
    uint32_t index = 0;
    for (unsigned length = 1; length <= CODE_MAX; length++) {
        open = 2 * open - huffman->count[length];
        if (open < 0) {
            return false;
        }
        code = (code + huffman->count[length - 1]) << 1;
        next_code[length] = (uint16_t)code;
        next_index[length] = (uint16_t)index;
        index += huffman->count[length];
    }
    if (open > 0 && !(may_be_short && (used == 0 || (used == 1 && huffman->count[1] == 1)))) {
        return false;
    }

    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        unsigned length = lengths[symbol];
        if (length == 0) {
            continue;
        }
        uint32_t own = next_code[length]++;
        huffman->sorted[next_index[length]++] = (uint16_t)symbol;
        if (length <= HIL_INFLATE_FAST_BITS) {
            uint32_t first = reverse_bits(own, length);
            for (uint32_t entry = first; entry < FAST_SIZE; entry += 1u << length) {
                huffman->fast[entry] = (uint16_t)(symbol << 4 | length);
            }
        }
    }
    return true;
}

/* Walks the code a bit at a time: for codes longer than the table, and at the end of input. */
static hil_outcome_t decode_slowly(hil_inflate_t *inflate, const hil_huffman_t *huffman,
                                   uint16_t *symbol)
{
    uint32_t code = 0;
    uint32_t first = 0;
    uint32_t index = 0;
    for (unsigned length = 1; length <= CODE_MAX; length++) {
        if (length > inflate->bit_count) {
            return HIL_WAITING;
        }
        code |= (uint32_t)(inflate->bits >> (length - 1)) & 1;
        uint32_t count = huffman->count[length];
        if (code - first < count) {
            *symbol = huffman->sorted[index + code - first];
            hil_inflate_drop_bits(inflate, length);
            return HIL_MOVED;
        }
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return hil_inflate_fail(inflate, HIL_ERR_INFLATE, "deflate: bits that are no code");
}

hil_outcome_t hil_huffman_decode(hil_inflate_t *inflate, const hil_huffman_t *huffman,
                                 uint16_t *symbol)
{
    if (inflate->bit_count < CODE_MAX) {
        hil_inflate_refill(inflate);
    }
    uint16_t entry = huffman->fast[inflate->bits & (FAST_SIZE - 1)];
    unsigned length = entry & 15;
    if (length != 0 && length <= inflate->bit_count) {
        *symbol = entry >> 4;
        hil_inflate_drop_bits(inflate, length);
        return HIL_MOVED;
    }
    return decode_slowly(inflate, huffman, symbol);
}
