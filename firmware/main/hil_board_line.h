/* The board's lines: frames out under a lock, packets in from whichever line the host is on. */
#ifndef HIL_BOARD_LINE_H
#define HIL_BOARD_LINE_H

#include "hil_board.h"

/* Opens the lines that the configuration names; false where none opens. */
bool hil_board_open_lines(hil_board_t *board);
/* Reads all lines once, waiting on the active one; hands packets to `handle`. */
void hil_board_receive(hil_board_t *board, uint32_t wait_ms,
                       void (*handle)(hil_board_t *board, const hil_packet_t *packet));
/* Writes one whole frame to the active line. */
void hil_board_write(hil_board_t *board, const uint8_t *frame, size_t size);
/* Seals the body in `board->own` and writes it. The server's task only. */
void hil_board_send_own(hil_board_t *board, uint8_t type, uint16_t seq, size_t body_size);
/* Sends the log lines that wait. The server's task only. */
void hil_board_send_log(hil_board_t *board);
uint32_t hil_board_now_ms(void);

/* For the server's port. */
bool hil_board_can_baud(void *user, uint32_t baud);
void hil_board_set_baud(void *user, uint32_t baud);

#endif
