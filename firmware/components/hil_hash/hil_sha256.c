/* SHA-256 (FIPS 180-4), fed in pieces of any size. */
#include <string.h>

#include "hil_bytes.h"
#include "hil_hash.h"

#define BLOCK 64
#define ROUNDS 64

static const uint32_t FRACTION_OF_CUBE_ROOT[ROUNDS] = {
    0x428A2F98u, 0x71374491u, 0xB5C0FBCFu, 0xE9B5DBA5u, 0x3956C25Bu, 0x59F111F1u, 0x923F82A4u,
    0xAB1C5ED5u, 0xD807AA98u, 0x12835B01u, 0x243185BEu, 0x550C7DC3u, 0x72BE5D74u, 0x80DEB1FEu,
    0x9BDC06A7u, 0xC19BF174u, 0xE49B69C1u, 0xEFBE4786u, 0x0FC19DC6u, 0x240CA1CCu, 0x2DE92C6Fu,
    0x4A7484AAu, 0x5CB0A9DCu, 0x76F988DAu, 0x983E5152u, 0xA831C66Du, 0xB00327C8u, 0xBF597FC7u,
    0xC6E00BF3u, 0xD5A79147u, 0x06CA6351u, 0x14292967u, 0x27B70A85u, 0x2E1B2138u, 0x4D2C6DFCu,
    0x53380D13u, 0x650A7354u, 0x766A0ABBu, 0x81C2C92Eu, 0x92722C85u, 0xA2BFE8A1u, 0xA81A664Bu,
    0xC24B8B70u, 0xC76C51A3u, 0xD192E819u, 0xD6990624u, 0xF40E3585u, 0x106AA070u, 0x19A4C116u,
    0x1E376C08u, 0x2748774Cu, 0x34B0BCB5u, 0x391C0CB3u, 0x4ED8AA4Au, 0x5B9CCA4Fu, 0x682E6FF3u,
    0x748F82EEu, 0x78A5636Fu, 0x84C87814u, 0x8CC70208u, 0x90BEFFFAu, 0xA4506CEBu, 0xBEF9A3F7u,
    0xC67178F2u,
};

static const uint32_t FRACTION_OF_SQUARE_ROOT[8] = {
    0x6A09E667u, 0xBB67AE85u, 0x3C6EF372u, 0xA54FF53Au,
    0x510E527Fu, 0x9B05688Cu, 0x1F83D9ABu, 0x5BE0CD19u,
};

static uint32_t rotate_right(uint32_t value, unsigned bits)
{
    return value >> bits | value << (32 - bits);
}

static void compress(uint32_t state[8], const uint8_t block[BLOCK])
{
    uint32_t schedule[ROUNDS];
    for (size_t i = 0; i < 16; i++) {
        schedule[i] = hil_get_be32(block + 4 * i);
    }
    for (size_t i = 16; i < ROUNDS; i++) {
        uint32_t early = schedule[i - 15];
        uint32_t late = schedule[i - 2];
        schedule[i] = schedule[i - 16] + schedule[i - 7] +
                      (rotate_right(early, 7) ^ rotate_right(early, 18) ^ early >> 3) +
                      (rotate_right(late, 17) ^ rotate_right(late, 19) ^ late >> 10);
    }

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t sum_e = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t choice = (e & f) ^ (~e & g);
        uint32_t first = h + sum_e + choice + FRACTION_OF_CUBE_ROOT[i] + schedule[i];
        uint32_t sum_a = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + sum_a + majority;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void hil_sha256_begin(hil_sha256_t *sha)
{
    memcpy(sha->state, FRACTION_OF_SQUARE_ROOT, sizeof(sha->state));
    sha->size = 0;
}

void hil_sha256_update(hil_sha256_t *sha, const void *data, size_t size)
{
    const uint8_t *byte = data;
    size_t filled = (size_t)(sha->size % BLOCK);
    sha->size += size;
    if (filled > 0 && size >= BLOCK - filled) {
        memcpy(sha->block + filled, byte, BLOCK - filled);
        compress(sha->state, sha->block);
        byte += BLOCK - filled;
        size -= BLOCK - filled;
        filled = 0;
    }
    if (filled == 0) {
        for (; size >= BLOCK; size -= BLOCK, byte += BLOCK) {
            compress(sha->state, byte);
        }
    }
    if (size > 0) {
        memcpy(sha->block + filled, byte, size);
    }
}

void hil_sha256_end(hil_sha256_t *sha, uint8_t digest[HIL_SHA256_SIZE])
{
    size_t filled = (size_t)(sha->size % BLOCK);
    uint64_t bits = sha->size * 8;
    sha->block[filled++] = 0x80;
    if (filled > BLOCK - 8) {
        memset(sha->block + filled, 0, BLOCK - filled);
        compress(sha->state, sha->block);
        filled = 0;
    }
    memset(sha->block + filled, 0, BLOCK - 8 - filled);
    hil_put_be32(sha->block + BLOCK - 8, (uint32_t)(bits >> 32));
    hil_put_be32(sha->block + BLOCK - 4, (uint32_t)bits);
    compress(sha->state, sha->block);
    for (size_t i = 0; i < 8; i++) {
        hil_put_be32(digest + 4 * i, sha->state[i]);
    }
}
