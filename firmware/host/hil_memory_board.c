/*
 * libhil_memory_board.so: a whole board inside the caller's process, for ten thousand sessions.
 *
 * Server, store and reference engine are the runner's; flash, time and the line are the caller's.
 * What a process cannot do to itself is played: a board that died in a node says no more until it
 * is booted again, and forgets everything but its flash.
 */
#include <stdlib.h>
#include <string.h>

#include "hil_runner_core.h"
#include "hil_wire_bench.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct {
    hil_engine_t face; /* the core's engine, which may die in a node; the first member */
    hil_bench_flash_t flash;
    hil_settings_t settings;
    hil_runner_core_t core;
    uint8_t *memory;
    hil_bench_sink_t sink;
    uint64_t now_ns;
    uint64_t node_ns;    /* that each node takes */
    uint32_t dies_after; /* nodes from now; 0: it does not */
    bool dead;           /* deaf and mute until the next boot */
    const hil_observer_t *observer;
} memory_board_t;

EXPORT memory_board_t *memory_board_new(const char *target, uint32_t sectors, uint32_t psram);
EXPORT void memory_board_free(memory_board_t *board);
EXPORT int memory_board_boot(memory_board_t *board, const char *reset_reason);
EXPORT void memory_board_receive(memory_board_t *board, const uint8_t *data, size_t size);
EXPORT void memory_board_pass(memory_board_t *board, uint64_t now_ns);
EXPORT uint64_t memory_board_now(const memory_board_t *board);
EXPORT const uint8_t *memory_board_take(memory_board_t *board, size_t *size);
EXPORT void memory_board_hurt(memory_board_t *board, uint32_t dies_after, uint64_t power);
EXPORT void memory_board_pace(memory_board_t *board, uint64_t node_ns);
EXPORT int memory_board_dead(const memory_board_t *board);
EXPORT int memory_board_broke_nor(const memory_board_t *board);
EXPORT uint8_t *memory_board_flash(memory_board_t *board, size_t *size);

/* --- Line and time ------------------------------------------------------------------------ */

static void port_write(void *user, const uint8_t *data, size_t size)
{
    memory_board_t *board = user;
    if (!board->dead && board->flash.power > 0) {
        hil_bench_sink_put(&board->sink, data, size);
    }
}

static uint64_t port_now_ns(void *user)
{
    return ((memory_board_t *)user)->now_ns;
}

/* --- The engine that may die -------------------------------------------------------------- */

/* The face is the first member, and shares the inner engine's state. */
static memory_board_t *board_of(hil_engine_t *face)
{
    return (memory_board_t *)(void *)face;
}

static void node_begin(void *user, uint32_t node_index)
{
    memory_board_t *board = user;
    board->observer->node_begin(board->observer->user, node_index);
    board->now_ns += board->node_ns;
    if (board->dies_after > 0 && --board->dies_after == 0) {
        board->dead = true;
    }
}

static void node_end(void *user, uint32_t node_index)
{
    memory_board_t *board = user;
    board->observer->node_end(board->observer->user, node_index);
}

static void node_output(void *user, const hil_node_output_t *output)
{
    memory_board_t *board = user;
    board->observer->node_output(board->observer->user, output);
}

static hil_status_t outer_run(hil_engine_t *engine, uint32_t cores, const hil_observer_t *observer,
                              hil_error_t *error)
{
    memory_board_t *board = board_of(engine);
    hil_observer_t between = {
        .user = board, .node_begin = node_begin, .node_end = node_end, .node_output = node_output};
    board->observer = observer;
    return board->core.engine.run(&board->core.engine, cores, &between, error);
}

/* --- Life --------------------------------------------------------------------------------- */

memory_board_t *memory_board_new(const char *target, uint32_t sectors, uint32_t psram)
{
    memory_board_t *board = aligned_alloc(16, (sizeof(*board) + 15) / 16 * 16);
    uint32_t size = sectors * HIL_STORE_SECTOR;
    uint8_t *flash = malloc(size);
    uint8_t *memory = aligned_alloc(16, psram / 16 * 16);
    if (board == NULL || flash == NULL || memory == NULL) {
        abort();
    }
    memset(board, 0, sizeof(*board));
    memset(flash, 0xFF, size);
    memset(memory, 0xA5, psram / 16 * 16);
    board->flash = (hil_bench_flash_t){.bytes = flash, .size = size, .power = UINT64_MAX};
    board->memory = memory;
    hil_settings_begin(&board->settings);
    if (!hil_settings_read(&board->settings, "--target", target)) {
        abort();
    }
    board->settings.psram_bytes = psram;
    return board;
}

void memory_board_free(memory_board_t *board)
{
    free(board->flash.bytes);
    free(board->memory);
    free(board->sink.data);
    free(board);
}

/* Starts the runner over what flash holds; returns a status. The reason must stay readable. */
int memory_board_boot(memory_board_t *board, const char *reset_reason)
{
    hil_flash_t flash = hil_bench_flash_face(&board->flash);
    board->settings.identity.reset_reason = reset_reason;
    board->dead = true;
    board->dies_after = 0;
    board->flash.power = UINT64_MAX;
    if (!hil_runner_core_mount(&board->core, &flash)) {
        return (int)HIL_ERR_STORE;
    }
    board->face = board->core.engine;
    board->face.run = outer_run;
    const hil_port_t port = {.user = board, .write = port_write, .now_ns = port_now_ns};
    hil_runner_core_begin(&board->core, &board->settings, &port, &board->face, board->memory);
    board->dead = false;
    return (int)HIL_OK;
}

void memory_board_receive(memory_board_t *board, const uint8_t *data, size_t size)
{
    if (!board->dead) {
        hil_server_receive(&board->core.server, data, size);
    }
    board->dead = board->dead || board->flash.power == 0;
}

/* The caller's time, where it is ahead of the board's. */
void memory_board_pass(memory_board_t *board, uint64_t now_ns)
{
    board->now_ns = now_ns > board->now_ns ? now_ns : board->now_ns;
    if (!board->dead) {
        hil_server_tick(&board->core.server);
    }
}

uint64_t memory_board_now(const memory_board_t *board)
{
    return board->now_ns;
}

/* What was said since the last call; valid until the next receive. */
const uint8_t *memory_board_take(memory_board_t *board, size_t *size)
{
    *size = board->sink.size;
    board->sink.size = 0;
    return board->sink.data;
}

/* Dies in a node, so many nodes on (0: not); and when flash took so many more bytes. */
void memory_board_hurt(memory_board_t *board, uint32_t dies_after, uint64_t power)
{
    board->dies_after = dies_after;
    board->flash.power = power;
    board->flash.seed = (uint32_t)power * 2654435761u + dies_after;
}

void memory_board_pace(memory_board_t *board, uint64_t node_ns)
{
    board->node_ns = node_ns;
}

int memory_board_dead(const memory_board_t *board)
{
    return board->dead;
}

int memory_board_broke_nor(const memory_board_t *board)
{
    return board->flash.broke_nor;
}

/* The flash, to spoil. */
uint8_t *memory_board_flash(memory_board_t *board, size_t *size)
{
    *size = board->flash.size;
    return board->flash.bytes;
}
