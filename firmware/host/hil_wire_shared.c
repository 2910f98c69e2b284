/* libhil_wire.so: frames, inflate, hashes, store and server for tests through ctypes. */
#include <stdlib.h>
#include <string.h>

#include "hil_hash.h"
#include "hil_wire_bench.h"

#define EXPORT __attribute__((visibility("default")))

/* --- Hashes ------------------------------------------------------------------------------- */

EXPORT uint32_t wire_crc32(const uint8_t *data, size_t size)
{
    return hil_crc32(0, data, size);
}

EXPORT uint32_t wire_adler32(const uint8_t *data, size_t size)
{
    return hil_adler32(1, data, size);
}

EXPORT uint64_t wire_xxh64(const uint8_t *data, size_t size, uint64_t seed)
{
    return hil_xxh64(data, size, seed);
}

/* In pieces of `piece` bytes. */
EXPORT void wire_sha256(const uint8_t *data, size_t size, size_t piece, uint8_t *digest)
{
    hil_sha256_t sha;
    hil_sha256_begin(&sha);
    for (size_t at = 0; at < size; at += piece) {
        hil_sha256_update(&sha, data + at, size - at < piece ? size - at : piece);
    }
    hil_sha256_end(&sha, digest);
}

/* --- Frames ------------------------------------------------------------------------------- */

typedef struct {
    hil_frame_decoder_t decoder;
    hil_packet_t packet;
} frames_t;

EXPORT frames_t *frames_new(void)
{
    frames_t *frames = calloc(1, sizeof(*frames));
    if (frames != NULL) {
        hil_frame_decoder_begin(&frames->decoder);
    }
    return frames;
}

EXPORT void frames_free(frames_t *frames)
{
    free(frames);
}

/* Returns the bytes taken; `*found` whether `frames_packet` has one. */
EXPORT size_t frames_feed(frames_t *frames, const uint8_t *data, size_t size, int *found)
{
    bool any;
    size_t taken = hil_frame_feed(&frames->decoder, data, size, &frames->packet, &any);
    *found = any;
    return taken;
}

EXPORT size_t frames_packet(const frames_t *frames, uint8_t *type, uint16_t *seq, uint8_t *body)
{
    *type = frames->packet.type;
    *seq = frames->packet.seq;
    memcpy(body, frames->packet.body, frames->packet.body_size);
    return frames->packet.body_size;
}

EXPORT uint32_t frames_dropped(const frames_t *frames)
{
    return frames->decoder.dropped;
}

EXPORT size_t frame_seal(uint8_t type, uint16_t seq, const uint8_t *body, size_t size,
                         uint8_t *bytes)
{
    hil_frame_t frame;
    memcpy(frame.bytes + HIL_FRAME_BODY_AT, body, size);
    size_t sealed = hil_frame_seal(&frame, type, seq, size);
    memcpy(bytes, frame.bytes, sealed);
    return sealed;
}

/* --- Inflate ------------------------------------------------------------------------------ */

typedef struct {
    hil_inflate_t inflate;
    hil_bench_sink_t sink;
} inflater_t;

static hil_status_t inflater_take(void *user, const uint8_t *data, size_t size)
{
    hil_bench_sink_put(user, data, size);
    return HIL_OK;
}

EXPORT inflater_t *inflater_new(uint32_t promised)
{
    inflater_t *inflater = calloc(1, sizeof(*inflater));
    if (inflater != NULL) {
        hil_inflate_begin(&inflater->inflate, promised, inflater_take, &inflater->sink);
    }
    return inflater;
}

EXPORT void inflater_free(inflater_t *inflater)
{
    free(inflater->sink.data);
    free(inflater);
}

EXPORT int inflater_feed(inflater_t *inflater, const uint8_t *data, size_t size)
{
    return (int)hil_inflate_feed(&inflater->inflate, data, size);
}

EXPORT int inflater_done(const inflater_t *inflater)
{
    return hil_inflate_done(&inflater->inflate);
}

EXPORT const char *inflater_what(const inflater_t *inflater)
{
    return inflater->inflate.what;
}

EXPORT const uint8_t *inflater_output(const inflater_t *inflater, size_t *size)
{
    *size = inflater->sink.size;
    return inflater->sink.data;
}

/* --- Server ------------------------------------------------------------------------------- */

typedef struct {
    hil_bench_t bench;
    hil_bench_sink_t sink;
    uint8_t *wide; /* flash beside the bench's own */
} board_t;

EXPORT board_t *board_new(void)
{
    board_t *board = aligned_alloc(_Alignof(board_t), sizeof(*board));
    if (board == NULL) {
        abort();
    }
    memset(board, 0, sizeof(*board));
    hil_bench_begin(&board->bench, &board->sink, hil_bench_sink_put);
    return board;
}

/*
 * Gives the board a store of `sectors` on flash that takes its time, and a link of the given
 * limits. Before anything else is asked of it.
 */
EXPORT void board_widen(board_t *board, uint32_t sectors, uint8_t window, uint16_t chunk,
                        uint64_t page_ns, uint64_t sector_ns, uint64_t block_ns)
{
    hil_bench_t *bench = &board->bench;
    free(board->wide);
    board->wide = malloc((size_t)sectors * HIL_STORE_SECTOR);
    if (board->wide == NULL) {
        abort();
    }
    memset(board->wide, 0, (size_t)sectors * HIL_STORE_SECTOR); /* nothing is erased yet */
    bench->flash = (hil_bench_flash_t){
        .bytes = board->wide,
        .size = sectors * HIL_STORE_SECTOR,
        .power = UINT64_MAX,
        .clock_ns = &bench->now_ns,
        .page_ns = page_ns,
        .sector_ns = sector_ns,
        .block_ns = block_ns,
    };
    hil_flash_t flash = hil_bench_flash_face(&bench->flash);
    if (hil_store_mount(&bench->store, &flash) != HIL_OK) {
        abort();
    }
    bench->server.config.identity.window = window;
    bench->server.config.identity.chunk_size = chunk;
}

EXPORT uint64_t board_now_ns(const board_t *board)
{
    return board->bench.now_ns;
}

EXPORT void board_free(board_t *board)
{
    free(board->wide);
    free(board->sink.data);
    free(board);
}

EXPORT void board_receive(board_t *board, const uint8_t *data, size_t size)
{
    hil_server_receive(&board->bench.server, data, size);
}

EXPORT void board_wait(board_t *board, uint64_t ns)
{
    board->bench.now_ns += ns;
    hil_server_tick(&board->bench.server);
}

EXPORT void board_log(board_t *board, int level, const char *text, size_t size)
{
    hil_server_log(&board->bench.server, (hil_log_level_t)level, text, size);
}

/* What was written since the last call; valid until the next receive. */
EXPORT const uint8_t *board_take(board_t *board, size_t *size)
{
    *size = board->sink.size;
    board->sink.size = 0;
    return board->sink.data;
}

EXPORT uint32_t board_baud(const board_t *board)
{
    return board->bench.baud;
}

EXPORT uint32_t board_reboots(const board_t *board)
{
    return board->bench.reboots;
}

EXPORT uint32_t board_runs(const board_t *board)
{
    return board->bench.toy.runs;
}

EXPORT uint32_t board_resets(const board_t *board)
{
    return board->bench.toy.resets;
}

/* The flash under the store, to spoil. */
EXPORT uint8_t *board_flash(board_t *board, size_t *size)
{
    *size = sizeof(board->bench.store_bytes);
    return board->bench.store_bytes;
}

EXPORT size_t board_server_size(void)
{
    return sizeof(hil_server_t);
}
