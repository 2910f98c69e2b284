/*
 * A driver for fuzz targets without libFuzzer: seeded mutations of given files.
 *
 *   fuzz_target SEED COUNT FILE...
 *
 * Each of the COUNT inputs is one of the files with a few mutations: bit flips, bytes and 32-bit
 * words replaced by wild ones, a truncation, a block copied over another. Equal seeds give equal
 * inputs. A crash leaves the number of the input on stderr.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* xorshift64*: small, seeded, the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *random, size_t bound)
{
    return bound == 0 ? 0 : (size_t)((next_random(random) >> 11) % bound);
}

static void put_word(uint8_t *data, size_t size, size_t at, uint32_t word)
{
    for (size_t i = 0; i < 4 && at + i < size; i++) {
        data[at + i] = (uint8_t)(word >> (8 * i));
    }
}

static size_t mutate(uint64_t *random, uint8_t *data, size_t size)
{
    static const uint32_t wild[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 0x10000};
    size_t at = below(random, size);
    switch (below(random, 6)) {
    case 0:
        data[at] = (uint8_t)(data[at] ^ (1u << below(random, 8)));
        break;
    case 1:
        data[at] = (uint8_t)next_random(random);
        break;
    case 2:
        put_word(data, size, at & ~(size_t)3, wild[below(random, sizeof wild / sizeof wild[0])]);
        break;
    case 3:
        put_word(data, size, at & ~(size_t)3, (uint32_t)below(random, size));
        break;
    case 4: {
        size_t from = below(random, size);
        size_t length = below(random, 64);
        length = length < size - at ? length : size - at;
        length = length < size - from ? length : size - from;
        memmove(data + at, data + from, length);
        break;
    }
    default:
        if (below(random, 8) == 0) {
            return at; /* truncated */
        }
        data[at] = (uint8_t)(data[at] + 1);
        break;
    }
    return size;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        end = ftell(file);
    }
    if (end <= 0 || fseek(file, 0, SEEK_SET) != 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    *size = (size_t)end;
    uint8_t *bytes = malloc(*size);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(file);
    return bytes;
}

static void run_one(uint64_t *random, const uint8_t *source, size_t source_size)
{
    size_t size = source_size;
    uint8_t *data = malloc(size);
    if (data == NULL) {
        exit(2);
    }
    memcpy(data, source, size);
    for (size_t count = 1 + below(random, 4); count > 0 && size > 0; count--) {
        size = mutate(random, data, size);
    }
    /* A buffer of exactly this size: a sanitizer sees the first byte beyond it. */
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    if (exact == NULL) {
        exit(2);
    }
    memcpy(exact, data, size);
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s SEED COUNT FILE...\n", argv[0]);
        return 2;
    }
    uint64_t random = strtoull(argv[1], NULL, 10) * 2 + 1;
    unsigned long count = strtoul(argv[2], NULL, 10);
    size_t files = (size_t)argc - 3;
    uint8_t **sources = malloc(files * sizeof *sources);
    size_t *sizes = malloc(files * sizeof *sizes);
    if (sources == NULL || sizes == NULL) {
        return 2;
    }
    for (size_t i = 0; i < files; i++) {
        sources[i] = read_file(argv[3 + i], &sizes[i]);
    }
    for (unsigned long i = 0; i < count; i++) {
        size_t file = below(&random, files);
        fprintf(stderr, "\rinput %lu of %s", i, argv[3 + file]);
        run_one(&random, sources[file], sizes[file]);
    }
    fprintf(stderr, "\n");
    for (size_t i = 0; i < files; i++) {
        free(sources[i]);
    }
    free(sources);
    free(sizes);
    return 0;
}
