/*
 * Log lines on their way to the host: written by any task, sent by the server's task as frames.
 *
 * The law of this file: a log line never waits and never allocates. Where the ring is full, lines
 * are dropped and counted, and the count is told with the next one that fits.
 */
#ifndef HIL_PORT_LOG_H
#define HIL_PORT_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "hil_message.h"

#define HIL_LOG_LINE 240

/* Takes over what ESP_LOGx writes; before that, it goes to the console as text. */
void hil_port_log_begin(void);
/* Adds a line of our own. */
void hil_port_log(hil_log_level_t level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The next line, NUL-terminated, and its level; false where there is none. */
bool hil_port_log_take(char text[HIL_LOG_LINE], hil_log_level_t *level);

#endif
