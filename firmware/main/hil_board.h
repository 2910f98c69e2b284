/*
 * The runner on a chip: lines, store, engines and server, put together at start.
 *
 * The law of this file: whatever the chip refuses, the board stays reachable. What can be done
 * without is done without, and told in the log; where the server cannot start at all, every
 * request is answered with the reason.
 */
#ifndef HIL_BOARD_H
#define HIL_BOARD_H

#include <stdatomic.h>

#include "hil_espdl_engine.h"
#include "hil_frame.h"
#include "hil_port_engine.h"
#include "hil_port_flash.h"
#include "hil_port_line.h"
#include "hil_port_worker.h"
#include "hil_ref_engine.h"
#include "hil_server.h"

#define HIL_BOARD_LINES 3

/* One line, with what came over it so far. */
typedef struct {
    const hil_port_line_t *line;
    hil_frame_decoder_t decoder;
} hil_board_line_t;

typedef struct {
    hil_board_line_t lines[HIL_BOARD_LINES];
    uint32_t line_count;
    const hil_port_line_t *active; /* where the host last spoke */
    atomic_bool deaf; /* nobody took the last frame: write no more until the host speaks again */
    uint32_t baud;    /* of the active line, where it has a rate */
    SemaphoreHandle_t line_lock; /* one frame at a time */
    StaticSemaphore_t line_lock_memory;
    atomic_uint written_ms; /* when the last frame went out */
    atomic_bool alive_said; /* by the server's task, since the last node began */

    hil_port_flash_t flash;
    hil_store_t store;
    hil_worker_t worker;
    hil_ref_state_t reference_state;
    hil_engine_t reference_inner;
    hil_port_engine_t reference;
    hil_espdl_state_t espdl_state;
    hil_engine_t espdl_inner;
    hil_port_engine_t espdl;
    hil_server_engine_t engines[2];
    hil_server_t server;
    const char *sick;   /* why the server could not start; NULL: it runs */
    bool told_history;  /* the first HELLO of this boot was answered */
    hil_frame_t own;    /* frames that the server's task writes beside the server's */
    uint8_t bytes[512]; /* from a line, on their way to its decoder */
} hil_board_t;

/* Starts what there is. */
void hil_board_begin(hil_board_t *board);
/* Waits for bytes, at most `wait_ms`, and does what they ask for. */
void hil_board_step(hil_board_t *board, uint32_t wait_ms);

#endif
