/*
 * What the fuzz targets share: the entry points that libFuzzer and our own driver call, dice, and
 * a check that stays in every build.
 *
 * Each target is one file with LLVMFuzzerTestOneInput and LLVMFuzzerCustomMutator. Linked with
 * -fsanitize=fuzzer it is guided by coverage; linked with hil_fuzz_main.c it needs no clang.
 */
#ifndef HIL_FUZZ_H
#define HIL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs one input; whatever breaks the target's invariant aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Changes the input within `capacity` bytes so that its outer form holds; returns its new size. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed);

/* Changes bytes blindly; libFuzzer's own, or the driver's. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

#define HIL_FUZZ_REQUIRE(condition)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* xorshift64*: small, seeded, the same everywhere. The state is never 0. */
static inline uint64_t hil_fuzz_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline size_t hil_fuzz_below(uint64_t *state, size_t bound)
{
    return bound == 0 ? 0 : (size_t)((hil_fuzz_next(state) >> 11) % bound);
}

/* The dice of one mutation, from the driver's seed. */
static inline uint64_t hil_fuzz_dice(unsigned int seed)
{
    return (uint64_t)seed * 2 + 1;
}

#endif
