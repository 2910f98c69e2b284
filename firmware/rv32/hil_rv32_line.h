/* The board's line: one virtio-serial port, received in place, written by blocking. */
#ifndef HIL_RV32_LINE_H
#define HIL_RV32_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds and starts the device; false where there is none. */
bool hil_rv32_line_open(void);
/* Waits for bytes, and ends the program when the line closes. They stay until
 * `hil_rv32_line_release`, which must follow. */
const uint8_t *hil_rv32_line_wait(size_t *size);
void hil_rv32_line_release(void);
/* Returns when the device has taken all of it. What comes meanwhile waits in its buffers. */
void hil_rv32_line_write(const uint8_t *data, size_t size);

#endif
