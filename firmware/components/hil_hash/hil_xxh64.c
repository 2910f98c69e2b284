/*
 * XXH64, from its published specification; the whole input is one block of memory.
 *
 * Every node's output passes here while inference waits: tensors of the engines lie at addresses
 * that chips without unaligned loads can read word by word, so there is a loop for these.
 */
#include "hil_bytes.h"
#include "hil_hash.h"

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

#define STRIPE 32
#define WORD 4

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t mix_lane(uint64_t accumulator, uint64_t lane)
{
    return rotate_left(accumulator + lane * PRIME_2, 31) * PRIME_1;
}

static uint64_t merge_lane(uint64_t hash, uint64_t accumulator)
{
    return (hash ^ mix_lane(0, accumulator)) * PRIME_1 + PRIME_4;
}

/* Takes all whole stripes, and moves on to what is left. `word` is how a lane is read. */
#define TAKE_STRIPES(word)                                                                         \
    do {                                                                                           \
        for (; left >= STRIPE; left -= STRIPE, byte += STRIPE) {                                   \
            lane0 = mix_lane(lane0, word(byte));                                                   \
            lane1 = mix_lane(lane1, word(byte + 8));                                               \
            lane2 = mix_lane(lane2, word(byte + 16));                                              \
            lane3 = mix_lane(lane3, word(byte + 24));                                              \
        }                                                                                          \
    } while (0)

static uint64_t get_aligned(const uint8_t *from)
{
    return hil_get_le64(__builtin_assume_aligned(from, WORD));
}

uint64_t hil_xxh64(const void *data, size_t size, uint64_t seed)
{
    const uint8_t *byte = data;
    size_t left = size;
    uint64_t hash = seed + PRIME_5;

    if (left >= STRIPE) {
        uint64_t lane0 = seed + PRIME_1 + PRIME_2;
        uint64_t lane1 = seed + PRIME_2;
        uint64_t lane2 = seed;
        uint64_t lane3 = seed - PRIME_1;
        if ((uintptr_t)byte % WORD == 0) {
            TAKE_STRIPES(get_aligned);
        } else {
            TAKE_STRIPES(hil_get_le64);
        }
        hash = rotate_left(lane0, 1) + rotate_left(lane1, 7) + rotate_left(lane2, 12) +
               rotate_left(lane3, 18);
        hash = merge_lane(hash, lane0);
        hash = merge_lane(hash, lane1);
        hash = merge_lane(hash, lane2);
        hash = merge_lane(hash, lane3);
    }
    hash += (uint64_t)size;

    for (; left >= 8; left -= 8, byte += 8) {
        hash = rotate_left(hash ^ mix_lane(0, hil_get_le64(byte)), 27) * PRIME_1 + PRIME_4;
    }
    for (; left >= 4; left -= 4, byte += 4) {
        hash = rotate_left(hash ^ hil_get_le32(byte) * PRIME_1, 23) * PRIME_2 + PRIME_3;
    }
    for (; left > 0; left--, byte++) {
        hash = rotate_left(hash ^ *byte * PRIME_5, 11) * PRIME_1;
    }

    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}
