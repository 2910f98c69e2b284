/*
 * What the board was doing, in memory that a panic or a watchdog reset leaves alone.
 *
 * A crumb is believed only if its check word holds, so that the random bits after power-on say
 * nothing. Writing one costs a few stores: it is done at every node.
 */
#ifndef HIL_PORT_CRUMB_H
#define HIL_PORT_CRUMB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { HIL_CRUMB_IDLE = 0, HIL_CRUMB_LOADING = 1, HIL_CRUMB_RUNNING = 2 } hil_crumb_phase_t;

/* Takes what the last boot left, and starts this boot's. Call once, first. */
void hil_crumb_begin(void);
void hil_crumb_phase(hil_crumb_phase_t phase);
void hil_crumb_node(uint32_t node_index);
/* Describes what the last boot was doing when it ended; false where it was idle, or unknown. */
bool hil_crumb_describe(char *text, size_t size);

#endif
