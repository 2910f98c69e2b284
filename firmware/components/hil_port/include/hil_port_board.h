/* Who this board is, its clock, and how to restart it. */
#ifndef HIL_PORT_BOARD_H
#define HIL_PORT_BOARD_H

#include "hil_server.h"

/* Fills everything but the line's window, chunk size and rate. The strings live for ever. */
void hil_board_identify(hil_identity_t *identity);
hil_kernels_t hil_board_kernels(void);
uint64_t hil_board_now_ns(void);
void hil_board_restart(void);
/* The configuration that latencies depend on, as "key=value ..." text. */
void hil_board_describe(char *text, size_t size);

#endif
