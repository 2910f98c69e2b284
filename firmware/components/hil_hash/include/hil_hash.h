/*
 * The four checks that this firmware computes over bytes, in portable C.
 *
 * CRC-32 guards frames and store records, Adler-32 a zlib stream, XXH64 names the bytes of a
 * tensor, SHA-256 names a model. None of them allocates; all accept a size of 0.
 */
#ifndef HIL_HASH_H
#define HIL_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HIL_SHA256_SIZE 32

/* CRC-32 as zlib computes it; start with 0, go on with the last result. */
uint32_t hil_crc32(uint32_t crc, const void *data, size_t size);

/* Adler-32 (RFC 1950); start with 1, go on with the last result. */
uint32_t hil_adler32(uint32_t adler, const void *data, size_t size);

/* XXH64 of one block. */
uint64_t hil_xxh64(const void *data, size_t size, uint64_t seed);

typedef struct {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
} hil_sha256_t;

void hil_sha256_begin(hil_sha256_t *sha);
void hil_sha256_update(hil_sha256_t *sha, const void *data, size_t size);
void hil_sha256_end(hil_sha256_t *sha, uint8_t digest[HIL_SHA256_SIZE]);

#endif
