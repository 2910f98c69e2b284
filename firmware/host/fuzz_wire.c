/*
 * Fuzzing of everything that bytes from the line or from flash reach: seeded, no tool needed.
 *
 *     fuzz_wire [EXECUTIONS [SEED]]
 *
 * The invariant: whatever comes in, the sanitizers stay silent, no loop runs on, and
 *  - each whole request gets exactly one answer, and what is written is nothing but valid frames;
 *  - inflate puts out no more than was promised;
 *  - a store over spoilt flash lists models inside the partition and apart, and still works.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hil_bytes.h"
#include "hil_wire_bench.h"

#define DEFAULT_EXECUTIONS 200000ul
#define SAMPLE_PLAIN 739

/* zlib -9 of a little text, one dynamic block: what mutations start from. */
static const uint8_t SAMPLE[] = {
    0x78, 0xDA, 0x6D, 0x52, 0x5B, 0x72, 0xC4, 0x20, 0x0C, 0xDB, 0xDE, 0x84, 0xAB, 0x01, 0x21, 0x81,
    0x00, 0xED, 0xCC, 0xF6, 0x75, 0xFD, 0x62, 0x49, 0xB0, 0xC9, 0x4C, 0x7F, 0x0C, 0x96, 0x25, 0x63,
    0x2B, 0x79, 0xA6, 0xF6, 0x7D, 0xBA, 0xF8, 0xF1, 0xFE, 0x93, 0x10, 0xB3, 0xFB, 0x4D, 0xE5, 0xC8,
    0x5F, 0xF3, 0xEC, 0xEE, 0x39, 0x18, 0x41, 0x99, 0xD7, 0x79, 0xB8, 0xC7, 0xE3, 0xAD, 0x43, 0xD0,
    0x04, 0x25, 0x10, 0xD9, 0x6A, 0x47, 0xF4, 0x88, 0xD5, 0xA8, 0x53, 0x57, 0x41, 0x3A, 0x50, 0x28,
    0xB8, 0xF7, 0xF5, 0xDE, 0xA0, 0x6D, 0x2E, 0x14, 0xFF, 0xB9, 0xDD, 0x0A, 0x1C, 0x0B, 0x0F, 0x56,
    0x5C, 0x23, 0x48, 0x01, 0xB1, 0x19, 0xAC, 0x9A, 0x89, 0x12, 0xD0, 0x53, 0xD2, 0xA2, 0xF3, 0xD4,
    0x66, 0xC6, 0x68, 0x6B, 0x03, 0xCB, 0x76, 0x93, 0x36, 0x35, 0x9C, 0x23, 0x0E, 0x28, 0xA0, 0x3A,
    0xF5, 0xBB, 0xCE, 0xA6, 0x3E, 0x74, 0x6B, 0xD0, 0x4E, 0x3E, 0x6F, 0xDC, 0xC8, 0xF9, 0xAD, 0xD4,
    0x25, 0x06, 0x30, 0x27, 0xE1, 0x5C, 0x16, 0x33, 0x62, 0xA5, 0x7E, 0xED, 0xF6, 0x8F, 0xC8, 0xAF,
    0xE7, 0x07, 0x58, 0x6E, 0x13, 0xB1, 0xC7, 0x81, 0xE8, 0x59, 0x46, 0x8F, 0x11, 0xF6, 0xDB, 0xD2,
    0x6C, 0x5B, 0x5F, 0xCD, 0xA3, 0x60, 0xD0, 0x29, 0x37, 0x20, 0x5C, 0x56, 0xEB, 0xFA, 0x0A, 0x74,
    0x05, 0x1A, 0xBB, 0x26, 0xB9, 0x4F, 0x9F, 0x17, 0x5C, 0x2F, 0x4B, 0xCD, 0x9F, 0x26, 0xC8, 0xA2,
    0xBB, 0x7D, 0x5D, 0xD2, 0x65, 0xDF, 0x46, 0xFB, 0x2C, 0xDF, 0xE4, 0x84, 0x31, 0x3C, 0x62, 0xE6,
    0x57, 0x9D, 0xFE, 0x71, 0x8D, 0x01, 0x65, 0xED, 0x72, 0x71, 0x8E, 0x63, 0x4C, 0xD3, 0x2C, 0x8B,
    0x6A, 0x84, 0x15, 0xFE, 0x00, 0x97, 0xAC, 0xEE, 0xE2,
};

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "fuzz_wire:%d: %s\n", __LINE__, #condition);                           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static bool chance(uint32_t in)
{
    return random_below(in) == 0;
}

/* --- Mutations ---------------------------------------------------------------------------- */

typedef struct {
    uint8_t bytes[4 * HIL_FRAME_MAX];
    size_t size;
} stream_t;

static void append(stream_t *stream, const void *data, size_t size)
{
    REQUIRE(size <= sizeof(stream->bytes) - stream->size);
    memcpy(stream->bytes + stream->size, data, size);
    stream->size += size;
}

static void mutate(uint8_t *bytes, size_t *size)
{
    static const uint8_t EDGES[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, 0xE5};
    uint32_t at = *size > 0 ? random_below((uint32_t)*size) : 0;
    switch (*size > 0 ? random_below(5) : 4) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << random_below(8));
        break;
    case 1:
        bytes[at] = EDGES[random_below(sizeof(EDGES))];
        break;
    case 2: /* cut */
        *size = at;
        break;
    case 3: { /* take a stretch out */
        size_t gap = random_below((uint32_t)(*size - at)) + 1;
        memmove(bytes + at, bytes + at + gap, *size - at - gap);
        *size -= gap;
        break;
    }
    default:
        break;
    }
}

/* --- The server --------------------------------------------------------------------------- */

typedef struct {
    hil_frame_decoder_t decoder;
    uint32_t answers;
} witness_t;

static void witness_write(void *user, const uint8_t *data, size_t size)
{
    witness_t *witness = user;
    size_t at = 0;
    while (at < size) {
        hil_packet_t packet;
        bool found;
        at += hil_frame_feed(&witness->decoder, data + at, size - at, &packet, &found);
        witness->answers += found && packet.type >= HIL_MSG_ANSWER;
    }
    REQUIRE(witness->decoder.dropped == 0);
}

static const char RECIPE[] = "TOY1\x05\x02\x40\x00\x01 and some padding to make it compress";

static void name_of_recipe(uint8_t sha256[HIL_SHA256_SIZE])
{
    hil_sha256_t sha;
    hil_sha256_begin(&sha);
    hil_sha256_update(&sha, RECIPE, sizeof(RECIPE));
    hil_sha256_end(&sha, sha256);
}

static uint32_t small_or_wild(void)
{
    return chance(8) ? UINT32_MAX - random_below(3) : random_below(chance(4) ? 5000 : 8);
}

/* A request of any kind with plausible fields; returns the size of its body. */
static size_t make_request(uint8_t type, uint8_t *body)
{
    uint8_t sha256[HIL_SHA256_SIZE];
    name_of_recipe(sha256);
    if (chance(10)) {
        sha256[0] ^= 1;
    }
    hil_put_le32(body, small_or_wild());
    switch (type) {
    case HIL_MSG_HELLO:
        body[0] = (uint8_t)random_below(3);
        body[1] = (uint8_t)random_below(3);
        return 2;
    case HIL_MSG_MODEL_BEGIN: {
        bool sample = chance(3);
        memcpy(body, sha256, HIL_SHA256_SIZE);
        hil_put_le32(body + 32, sample      ? SAMPLE_PLAIN
                                : chance(4) ? small_or_wild()
                                            : sizeof(RECIPE));
        hil_put_le32(body + 36, sample ? sizeof(SAMPLE) : sizeof(RECIPE));
        body[40] = sample;
        return 41;
    }
    case HIL_MSG_MODEL_DATA: {
        bool sample = chance(3);
        const void *from = sample ? (const void *)SAMPLE : RECIPE;
        size_t size = sample ? sizeof(SAMPLE) : sizeof(RECIPE);
        size_t at = chance(2) ? 0 : random_below((uint32_t)size);
        hil_put_le32(body, chance(8) ? small_or_wild() : (uint32_t)at);
        memcpy(body + 4, (const uint8_t *)from + at, size - at);
        return 4 + size - at;
    }
    case HIL_MSG_MODEL_COMMIT:
    case HIL_MSG_MODEL_ERASE:
        memcpy(body, sha256, HIL_SHA256_SIZE);
        return HIL_SHA256_SIZE;
    case HIL_MSG_LOAD:
        memcpy(body, sha256, HIL_SHA256_SIZE);
        body[32] = chance(10);
        return 33;
    case HIL_MSG_INPUT: {
        size_t size = random_below(80);
        hil_put_le16(body, (uint16_t)random_below(3));
        hil_put_le32(body + 2, chance(3) ? small_or_wild() : 0);
        memset(body + 6, (int)random_below(256), size);
        return 6 + size;
    }
    case HIL_MSG_CAPTURE:
        body[0] = (uint8_t)random_below(18);
        hil_put_le16(body + 1, 2);
        body[3] = 'v';
        body[4] = (uint8_t)('0' + random_below(7));
        return 5;
    case HIL_MSG_RUN:
        hil_put_le32(body, random_below(6));
        hil_put_le16(body + 4, (uint16_t)random_below(3));
        hil_put_le16(body + 6, (uint16_t)random_below(12));
        body[8] = (uint8_t)random_below(3);
        body[9] = (uint8_t)random_below(2);
        return 10;
    case HIL_MSG_NODES:
        hil_put_le32(body, random_below(6));
        hil_put_le32(body + 4, small_or_wild());
        return 8;
    case HIL_MSG_LATENCIES:
        hil_put_le32(body, random_below(6));
        hil_put_le16(body + 4, (uint16_t)random_below(12));
        return 6;
    case HIL_MSG_READ_OUTPUT:
        hil_put_le32(body, random_below(6));
        hil_put_le16(body + 4, (uint16_t)random_below(2));
        hil_put_le32(body + 6, small_or_wild());
        hil_put_le16(body + 10, (uint16_t)random_below(80));
        return 12;
    case HIL_MSG_READ_CAPTURE:
        hil_put_le32(body, random_below(6));
        body[4] = (uint8_t)random_below(18);
        hil_put_le32(body + 5, small_or_wild());
        hil_put_le16(body + 9, (uint16_t)random_below(80));
        return 11;
    case HIL_MSG_BAUD:
        return 4;
    default:
        return chance(2) ? 0 : random_below(64);
    }
}

static void receive_in_pieces(hil_bench_t *bench, const stream_t *stream)
{
    size_t at = 0;
    while (at < stream->size) {
        size_t piece = 1 + random_below(chance(2) ? 4 : 2000);
        piece = piece < stream->size - at ? piece : stream->size - at;
        hil_server_receive(&bench->server, stream->bytes + at, piece);
        bench->now_ns += random_below(400000000);
        hil_server_tick(&bench->server);
        at += piece;
    }
}

static void fuzz_server(hil_bench_t *bench, witness_t *witness)
{
    stream_t stream = {.size = 0};
    uint32_t requests = 1 + random_below(4);
    uint32_t answerable = 0;
    for (uint32_t i = 0; i < requests; i++) {
        static hil_frame_t frame;
        uint8_t *body = frame.bytes + HIL_FRAME_BODY_AT;
        memset(body, 0, 256);
        uint8_t type = (uint8_t)(chance(30) ? random_below(256) : random_below(0x15));
        size_t size = make_request(type, body);
        if (chance(6)) {
            mutate(body, &size);
        }
        answerable += type < HIL_MSG_FIRST_NO_REQUEST;
        size = hil_frame_seal(&frame, type, (uint16_t)random_below(65536), size);
        append(&stream, frame.bytes, size);
    }
    bool damaged = chance(5);
    if (damaged) {
        mutate(stream.bytes, &stream.size);
    }
    append(&stream, "", 1); /* ends whatever is half there */
    witness->answers = 0;
    receive_in_pieces(bench, &stream);
    REQUIRE(witness->answers <= answerable + damaged);
    REQUIRE(damaged || witness->answers == answerable);
    REQUIRE(!bench->flash.broke_nor);
}

/* --- Inflate ------------------------------------------------------------------------------ */

static uint32_t inflated;

static hil_status_t count_bytes(void *user, const uint8_t *data, size_t size)
{
    (void)user;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) { /* touch them all: the sanitizer looks on */
        sum = (uint8_t)(sum + data[i]);
    }
    inflated += (uint32_t)size + (sum & 0u);
    return HIL_OK;
}

static void fuzz_inflate(void)
{
    static hil_inflate_t inflate;
    uint8_t coded[2 * sizeof(SAMPLE)];
    size_t size = sizeof(SAMPLE);
    memcpy(coded, SAMPLE, size);
    bool whole = chance(50);
    for (uint32_t i = 0; !whole && i < 1 + random_below(3); i++) {
        mutate(coded, &size);
    }
    if (chance(4)) { /* any bits at all behind a good header */
        for (size_t i = 2; i < size; i++) {
            coded[i] = (uint8_t)random_below(256);
        }
        whole = false;
    }
    uint32_t promised = chance(4) && !whole ? small_or_wild() : SAMPLE_PLAIN;
    hil_inflate_begin(&inflate, promised, count_bytes, NULL);
    inflated = 0;
    size_t at = 0;
    hil_status_t status = HIL_OK;
    while (at < size) {
        size_t piece = 1 + random_below(chance(2) ? 3 : 300);
        piece = piece < size - at ? piece : size - at;
        status = hil_inflate_feed(&inflate, coded + at, piece);
        at += piece;
    }
    REQUIRE(inflated <= promised);
    REQUIRE(status == HIL_OK || status == HIL_ERR_INFLATE);
    REQUIRE(!whole || (hil_inflate_done(&inflate) && inflated == SAMPLE_PLAIN));
    REQUIRE(!hil_inflate_done(&inflate) || inflated == promised);
}

/* --- The store ---------------------------------------------------------------------------- */

static void check_table(const hil_store_t *store)
{
    REQUIRE(store->count <= HIL_STORE_MODELS);
    for (uint32_t i = 0; i < store->count; i++) {
        const hil_store_entry_t *a = &store->entries[i];
        uint64_t a_end = (uint64_t)a->first_sector * HIL_STORE_SECTOR + a->size;
        REQUIRE(a->first_sector >= HIL_STORE_DIRECTORY_SECTORS && a_end <= store->flash.size);
        for (uint32_t j = 0; j < i; j++) {
            const hil_store_entry_t *b = &store->entries[j];
            uint64_t b_end = (uint64_t)b->first_sector * HIL_STORE_SECTOR + b->size;
            REQUIRE(a_end <= (uint64_t)b->first_sector * HIL_STORE_SECTOR ||
                    b_end <= (uint64_t)a->first_sector * HIL_STORE_SECTOR);
        }
    }
}

/* One model comes, perhaps over the others; returns whether power and flash allowed it. */
static bool store_one(hil_store_t *store, uint32_t size)
{
    static uint8_t data[6 * HIL_STORE_SECTOR];
    uint8_t sha256[HIL_SHA256_SIZE];
    hil_sha256_t sha;
    memset(data, (int)random_below(256), size);
    hil_sha256_begin(&sha);
    hil_sha256_update(&sha, data, size);
    hil_sha256_end(&sha, sha256);
    if (hil_store_find(store, sha256) != NULL) {
        return hil_store_touch(store, sha256) == HIL_OK;
    }
    return hil_store_begin(store, sha256, size) == HIL_OK &&
           hil_store_write(store, data, size) == HIL_OK && hil_store_commit(store) == HIL_OK &&
           hil_store_find(store, sha256) != NULL;
}

static void fuzz_store(hil_bench_flash_t *flash)
{
    static hil_store_t store;
    hil_flash_t face = hil_bench_flash_face(flash);
    for (uint32_t i = random_below(4); i > 0; i--) { /* rot, mostly in the directory */
        uint32_t at = random_below(chance(3) ? flash->size : 2 * HIL_STORE_SECTOR);
        flash->bytes[at] ^= (uint8_t)(1u << random_below(8));
    }
    flash->power = UINT64_MAX;
    if (hil_store_mount(&store, &face) != HIL_OK) {
        return;
    }
    check_table(&store);
    flash->power = chance(2) ? random_below(9000) : UINT64_MAX;
    bool powered = flash->power == UINT64_MAX;
    for (uint32_t i = random_below(4); i > 0; i--) {
        bool stored = store_one(&store, 1 + random_below(6 * HIL_STORE_SECTOR - 1));
        REQUIRE(stored || !powered);
        check_table(&store);
    }
}

/* --- Driver ------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static hil_bench_t bench;
    static witness_t witness;
    static uint8_t flash_bytes[16 * HIL_STORE_SECTOR];
    unsigned long executions = argc > 1 ? strtoul(argv[1], NULL, 0) : DEFAULT_EXECUTIONS;
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
    random_state = 0x9E3779B97F4A7C15u ^ (uint64_t)seed << 17;

    hil_bench_flash_t flash = {.bytes = flash_bytes, .size = sizeof(flash_bytes)};
    memset(flash_bytes, 0xFF, sizeof(flash_bytes));
    for (unsigned long i = 0; i < executions; i++) {
        if (i % 1000 == 0) {
            hil_frame_decoder_begin(&witness.decoder);
            hil_bench_begin(&bench, &witness, witness_write);
        }
        switch (random_below(10)) {
        case 0:
            fuzz_store(&flash);
            break;
        case 1:
        case 2:
        case 3:
            fuzz_inflate();
            break;
        default:
            fuzz_server(&bench, &witness);
            break;
        }
    }
    printf("%lu executions, seed %lu\n", executions, seed);
    return EXIT_SUCCESS;
}
