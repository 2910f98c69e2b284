/*
 * Fuzz target of the whole board: a conversation with server, store, inflate and both engines.
 *
 * An input is a script, not a byte stream, so that a changed body still gets past the CRC:
 * records of type, size (u16) and content. A type below 0xF0 is that request with that body.
 * Above: a model that is brought to the board in full, its name set right (MODEL, MODEL_CODED);
 * raw bytes on the line; time that passes; a restart; rot in flash. Where a request names a model,
 * a hash that begins with FE FE stands for the last one brought.
 *
 * The invariant: each whole request gets exactly one answer; what is written is nothing but valid
 * frames; nothing is written over flash that was not erased; the sanitizers stay silent.
 */
#include <string.h>

#include "hil_bytes.h"
#include "hil_fuzz.h"
#include "hil_fuzz_espdl.h"
#include "hil_ref_engine.h"
#include "hil_wire_bench.h"

enum {
    RECORD_FIRST = 0xF0,
    RECORD_MODEL = 0xF0,
    RECORD_MODEL_CODED = 0xF1,
    RECORD_RAW = 0xF2,
    RECORD_TIME = 0xF3,
    RECORD_RESTART = 0xF4,
    RECORD_ROT = 0xF5
};

#define RECORD_HEAD 3
#define RECORDS_MAX 64
#define RUNS_MAX 3
#define ARENA_SIZE (128u * 1024)
#define MODEL_PLACE_FE 0xFE

typedef struct {
    hil_bench_t bench;
    hil_ref_state_t reference;
    hil_engine_t reference_engine;
    hil_server_engine_t engines[2];
    _Alignas(16) uint8_t arena[ARENA_SIZE];
    uint8_t model_sha256[HIL_SHA256_SIZE];
    hil_frame_decoder_t decoder;
    uint32_t answers;
    bool rotted;
} board_t;

static board_t board;

/* --- What the board says ------------------------------------------------------------------ */

static void hear(void *user, const uint8_t *data, size_t size)
{
    board_t *heard = user;
    size_t at = 0;
    while (at < size) {
        hil_packet_t packet;
        bool found;
        at += hil_frame_feed(&heard->decoder, data + at, size - at, &packet, &found);
        HIL_FUZZ_REQUIRE(!found || packet.type >= HIL_MSG_FIRST_NO_REQUEST);
        heard->answers += found && packet.type >= HIL_MSG_ANSWER;
    }
    HIL_FUZZ_REQUIRE(heard->decoder.dropped == 0);
}

/* --- Power on ----------------------------------------------------------------------------- */

/* The bench's own server with the reference engine beside the toy, and an arena that it can use. */
static void boot(void)
{
    hil_server_config_t config = board.bench.server.config;
    hil_ref_engine_init(&board.reference_engine, &board.reference);
    board.engines[0] = (hil_server_engine_t){.id = 0, .engine = &board.reference_engine};
    board.engines[1] = (hil_server_engine_t){.id = 1, .engine = &board.bench.engine};
    config.engines = board.engines;
    config.engine_count = 2;
    config.arena = board.arena;
    config.arena_size = sizeof(board.arena);
    hil_server_begin(&board.bench.server, &config);
}

static void power_on(void)
{
    hil_bench_begin(&board.bench, &board, hear);
    hil_frame_decoder_begin(&board.decoder);
    memset(board.model_sha256, 0, sizeof(board.model_sha256));
    board.rotted = false;
    boot();
}

/* Restarts with what flash holds; a store that cannot be mounted ends the script. */
static bool restart(void)
{
    hil_flash_t flash = hil_bench_flash_face(&board.bench.flash);
    if (hil_store_mount(&board.bench.store, &flash) != HIL_OK) {
        return false;
    }
    boot();
    return true;
}

/* --- Requests ----------------------------------------------------------------------------- */

/* Where a request's body has the name of a model; 0xFF: nowhere. */
static size_t name_at(uint8_t type)
{
    switch (type) {
    case HIL_MSG_MODEL_BEGIN:
    case HIL_MSG_MODEL_COMMIT:
    case HIL_MSG_LOAD:
    case HIL_MSG_MODEL_ERASE:
        return 0;
    default:
        return SIZE_MAX;
    }
}

static void send(uint8_t type, const uint8_t *body, size_t size)
{
    static hil_frame_t frame;
    static uint16_t seq;
    uint8_t *room = frame.bytes + HIL_FRAME_BODY_AT;
    size = size < HIL_BODY_MAX ? size : HIL_BODY_MAX;
    memcpy(room, body, size);
    size_t at = name_at(type);
    if (at != SIZE_MAX && size >= at + HIL_SHA256_SIZE && room[at] == MODEL_PLACE_FE &&
        room[at + 1] == MODEL_PLACE_FE) {
        memcpy(room + at, board.model_sha256, HIL_SHA256_SIZE);
    }
    if (type == HIL_MSG_RUN && size >= 8) { /* tens of thousands of runs teach nothing new */
        hil_put_le16(room + 4, hil_get_le16(room + 4) % RUNS_MAX);
        hil_put_le16(room + 6, hil_get_le16(room + 6) % (RUNS_MAX + 1));
    }
    size_t sealed = hil_frame_seal(&frame, type, ++seq, size);
    uint32_t before = board.answers;
    hil_server_receive(&board.bench.server, frame.bytes, sealed);
    HIL_FUZZ_REQUIRE(board.answers - before == (type < HIL_MSG_FIRST_NO_REQUEST ? 1 : 0));
}

/* Brings a model as a host does. Coded: its plain size stands in front of the stream. */
static void bring(const uint8_t *data, size_t size, bool coded)
{
    static uint8_t body[4 + HIL_CHUNK_MAX];
    size_t head = coded ? 4 : 0;
    if (size < head + 1) {
        return;
    }
    hil_sha256_t sha;
    hil_sha256_begin(&sha);
    hil_sha256_update(&sha, data, size);
    hil_sha256_end(&sha, board.model_sha256);
    memcpy(body, board.model_sha256, HIL_SHA256_SIZE);
    size_t stream = size - head;
    hil_put_le32(body + 32, coded ? hil_get_le32(data) : (uint32_t)stream);
    hil_put_le32(body + 36, (uint32_t)stream);
    body[40] = coded;
    send(HIL_MSG_MODEL_BEGIN, body, 41);
    for (size_t at = 0; at < stream; at += HIL_CHUNK_MAX) {
        size_t piece = stream - at < HIL_CHUNK_MAX ? stream - at : HIL_CHUNK_MAX;
        hil_put_le32(body, (uint32_t)at);
        memcpy(body + 4, data + head + at, piece);
        send(HIL_MSG_MODEL_DATA, body, 4 + piece);
    }
    send(HIL_MSG_MODEL_COMMIT, board.model_sha256, HIL_SHA256_SIZE);
}

/* --- The script --------------------------------------------------------------------------- */

/* Bytes on the line that need not be frames. */
static void send_raw(const uint8_t *data, size_t size)
{
    hil_server_receive(&board.bench.server, data, size);
    hil_server_receive(&board.bench.server, (const uint8_t[]){0}, 1);
}

static bool play(uint8_t type, const uint8_t *data, size_t size)
{
    switch (type) {
    case RECORD_MODEL:
    case RECORD_MODEL_CODED:
        bring(data, size, type == RECORD_MODEL_CODED);
        return true;
    case RECORD_RAW:
        send_raw(data, size);
        return true;
    case RECORD_TIME:
        board.bench.now_ns += size >= 2 ? (uint64_t)hil_get_le16(data) * 1000000 : 0;
        hil_server_tick(&board.bench.server);
        return true;
    case RECORD_RESTART:
        return restart();
    case RECORD_ROT:
        board.rotted = true;
        for (size_t i = 0; i + 3 <= size; i += 3) {
            uint32_t at = (hil_get_le16(data + i) * 3u) % HIL_BENCH_STORE;
            board.bench.store_bytes[at] ^= data[i + 2];
        }
        return true;
    default:
        send(type, data, size);
        return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    power_on();
    size_t at = 0;
    bool powered = true;
    for (int count = 0; powered && count < RECORDS_MAX && size - at >= RECORD_HEAD; count++) {
        uint8_t type = data[at];
        size_t length = hil_get_le16(data + at + 1);
        at += RECORD_HEAD;
        length = length < size - at ? length : size - at;
        powered = play(type, data + at, length);
        at += length;
    }
    HIL_FUZZ_REQUIRE(board.rotted || !board.bench.flash.broke_nor);
    return 0;
}

/* --- Mutations ---------------------------------------------------------------------------- */

typedef struct {
    size_t at; /* of the record's head */
    size_t size;
} record_t;

static size_t find_records(const uint8_t *data, size_t size, record_t records[RECORDS_MAX])
{
    size_t count = 0;
    size_t at = 0;
    while (count < RECORDS_MAX && size - at >= RECORD_HEAD) {
        size_t length = hil_get_le16(data + at + 1);
        size_t left = size - at - RECORD_HEAD;
        length = length < left ? length : left;
        records[count++] = (record_t){at, length};
        at += RECORD_HEAD + length;
    }
    return count;
}

/* Puts `length` bytes in place of a record, all with its head. */
static size_t replace(uint8_t *data, size_t size, record_t record, const uint8_t *with,
                      size_t length)
{
    size_t end = record.at + RECORD_HEAD + record.size;
    memmove(data + record.at + length, data + end, size - end);
    memcpy(data + record.at, with, length);
    return size - (RECORD_HEAD + record.size) + length;
}

static size_t change_content(uint8_t *data, size_t size, size_t capacity, record_t record,
                             uint64_t *dice)
{
    static uint8_t copy[RECORD_HEAD + UINT16_MAX];
    uint8_t *content = copy + RECORD_HEAD;
    memcpy(copy, data + record.at, RECORD_HEAD + record.size);
    size_t most = capacity - (size - record.size);
    most = most < UINT16_MAX ? most : UINT16_MAX;
    size_t length = record.size;
    bool changed = copy[0] == RECORD_MODEL && hil_fuzz_below(dice, 8) != 0 &&
                   hil_fuzz_espdl_mutate(content, length, dice);
    if (!changed) {
        length = LLVMFuzzerMutate(content, length, most);
    }
    hil_put_le16(copy + 1, (uint16_t)length);
    return replace(data, size, record, copy, RECORD_HEAD + length);
}

/* A record's content, its type, its place, or how often it comes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed)
{
    static uint8_t copy[RECORD_HEAD + UINT16_MAX];
    record_t records[RECORDS_MAX];
    uint64_t dice = hil_fuzz_dice(seed);
    size_t count = find_records(data, size, records);
    if (count == 0 || hil_fuzz_below(&dice, 16) == 0) {
        return LLVMFuzzerMutate(data, size, capacity);
    }
    record_t one = records[hil_fuzz_below(&dice, count)];
    record_t other = records[hil_fuzz_below(&dice, count)];
    size_t whole = RECORD_HEAD + one.size;
    switch (hil_fuzz_below(&dice, 8)) {
    case 0: { /* away */
        uint8_t nothing = 0;
        return replace(data, size, one, &nothing, 0);
    }
    case 1: /* once more, somewhere else */
        if (size + whole > capacity) {
            return size;
        }
        memcpy(copy, data + one.at, whole);
        memmove(data + other.at + whole, data + other.at, size - other.at);
        memcpy(data + other.at, copy, whole);
        return size + whole;
    case 2: /* another type */
        data[one.at] =
            (uint8_t)(hil_fuzz_below(&dice, 4) == 0 ? RECORD_FIRST + hil_fuzz_below(&dice, 6)
                                                    : hil_fuzz_below(&dice, 0x16));
        return size;
    default:
        return change_content(data, size, capacity, one, &dice);
    }
}
