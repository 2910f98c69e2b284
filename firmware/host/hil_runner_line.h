/* The board's line on stdin and stdout: a receive buffer like a UART's, and blocking writes. */
#ifndef HIL_RUNNER_LINE_H
#define HIL_RUNNER_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hil_frame.h"
#include "hil_runner_settings.h"

typedef struct {
    uint8_t received[HIL_LINE_WINDOW * HIL_FRAME_MAX];
    size_t begin;
    size_t end;
    bool closed; /* no more bytes will come */
} hil_line_t;

/* Makes both ends non-blocking, and raw where they are terminals. */
bool hil_line_open(hil_line_t *line);
/* Waits for bytes, at most so long; a negative time waits for ever. */
void hil_line_wait(hil_line_t *line, int timeout_ms);
/* What has come; the caller says how much it used. */
const uint8_t *hil_line_peek(const hil_line_t *line, size_t *size);
void hil_line_drop(hil_line_t *line, size_t size);
/* Writes all, receiving meanwhile, so that two full buffers never wait for each other. Ends the
 * program where nobody reads any more. */
void hil_line_write(hil_line_t *line, const uint8_t *data, size_t size);

#endif
