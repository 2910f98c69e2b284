/*
 * What the board is doing, in memory that outlives the program: what RTC memory is to a chip.
 *
 * One word of a file that the board's owner keeps: 0 when idle, a node's index + 1 while it runs.
 */
#ifndef HIL_RUNNER_CRUMB_H
#define HIL_RUNNER_CRUMB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    volatile uint32_t *word; /* NULL: nobody keeps it, and all of this does nothing */
    uint32_t last;           /* what the boot before left */
} hil_runner_crumb_t;

/* Maps the file, which has at least 4 bytes, and starts this boot's. */
bool hil_runner_crumb_open(hil_runner_crumb_t *crumb, const char *path);
void hil_runner_crumb_node(hil_runner_crumb_t *crumb, uint32_t node_index);
void hil_runner_crumb_idle(hil_runner_crumb_t *crumb);
/* Describes how the boot before ended, once; false where it was idle. */
bool hil_runner_crumb_tell(hil_runner_crumb_t *crumb, const char *reset_reason, char *text,
                           size_t size);

#endif
