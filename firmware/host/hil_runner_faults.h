/*
 * Faults on request, for tests of the bench: host only, and never in a board's firmware.
 *
 * They act from outside: between frames and server, or between server and engine. The server and
 * the engine under them are those of every other run.
 */
#ifndef HIL_RUNNER_FAULTS_H
#define HIL_RUNNER_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "hil_ref_engine.h"
#include "hil_runner_crumb.h"
#include "hil_runner_line.h"
#include "hil_server.h"

#define HIL_EXIT_REBOOT 64
#define HIL_EXIT_RESET 65
#define HIL_EXIT_PANIC 66

extern const char HIL_FAULTS_HELP[];

/* All zero means no fault. */
typedef struct {
    hil_engine_t face; /* what the server gets, once begun; the first member */
    bool flip_weight;
    char flip_parameter[256]; /* empty: the largest integer parameter */
    uint32_t flip_bit;
    bool flip_output;
    uint32_t flip_output_node, flip_output_bit;
    bool wrong_rounding;
    hil_rounding_t rounding; /* HIL_ROUND_TARGET: the other one than the target's */
    bool stale_model;
    bool truncate_upload;
    bool mute;
    bool hang, reset, panic;
    uint32_t hang_node, reset_node, panic_node;
    uint32_t noise_every; /* a line of text inside every so many-th frame; 0: none at all */

    /* At work. */
    hil_runner_crumb_t crumb; /* written before a fault, as a chip writes it before it crashes */
    hil_line_t *line;
    bool riscv;
    uint32_t frames_written;
    hil_engine_t *inner;
    const hil_observer_t *observer;
    uint8_t *flipped; /* the engine's copy of the model */
} hil_faults_t;

/* Reads one `KIND[:ARG]`; false where it is none. */
bool hil_faults_add(hil_faults_t *faults, const char *text);

/* Ties the faults to the line and the engine; `face` is the engine to give to the server. */
void hil_faults_begin(hil_faults_t *faults, hil_line_t *line, hil_kernels_t kernels,
                      hil_ref_state_t *state, hil_engine_t *inner);

/* Hands a packet to the server, or does something else with it. */
void hil_faults_handle(hil_faults_t *faults, hil_server_t *server, const hil_packet_t *packet);

/* Writes one frame to the line, with noise where asked for. */
void hil_faults_write(hil_faults_t *faults, const uint8_t *frame, size_t size);

#endif
