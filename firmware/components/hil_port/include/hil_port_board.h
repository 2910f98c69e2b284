/* Who this board is, its clocks, and how to restart it. */
#ifndef HIL_PORT_BOARD_H
#define HIL_PORT_BOARD_H

#include "hil_server.h"

/* Fills everything, facts too, but the line's window, chunk size and rate. The strings live for
 * ever. */
void hil_board_identify(hil_identity_t *identity);
hil_kernels_t hil_board_kernels(void);
uint64_t hil_board_now_ns(void);
/* Of the core that asks; wraps. */
uint32_t hil_board_cycles(void);
void hil_board_restart(void);

#endif
