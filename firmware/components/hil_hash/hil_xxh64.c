/* XXH64, from its published specification; the whole input is one block of memory. */
#include "hil_bytes.h"
#include "hil_hash.h"

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

#define LANES 4
#define STRIPE 32

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

uint64_t hil_xxh64(const void *data, size_t size, uint64_t seed)
{
    const uint8_t *byte = data;
    size_t left = size;
    uint64_t hash = seed + PRIME_5;

    if (left >= STRIPE) {
        uint64_t lane[LANES] = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1};
        for (; left >= STRIPE; left -= STRIPE, byte += STRIPE) {
            for (size_t i = 0; i < LANES; i++) {
                lane[i] = mix_lane(lane[i], hil_get_le64(byte + 8 * i));
            }
        }
        hash = rotate_left(lane[0], 1) + rotate_left(lane[1], 7) + rotate_left(lane[2], 12) +
               rotate_left(lane[3], 18);
        for (size_t i = 0; i < LANES; i++) {
            hash = merge_lane(hash, lane[i]);
        }
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
