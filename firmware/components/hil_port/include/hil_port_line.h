/*
 * A line to the host, behind one small struct: UART, USB-Serial-JTAG, or native USB as a CDC
 * device.
 *
 * The law of these drivers: a broken driver is a return value. Nothing blocks longer than its
 * `wait_ms`, or for a write, than the line needs; a host that stopped reading loses frames, and
 * asks again.
 */
#ifndef HIL_PORT_LINE_H
#define HIL_PORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* "uart", "usb_serial_jtag", "usb_cdc" */
    /* Up to `size` bytes, waiting at most so long for the first; 0: none came; -1: failed. */
    int (*read)(uint8_t *data, size_t size, uint32_t wait_ms);
    /* Takes all bytes, or says false. */
    bool (*write)(const uint8_t *data, size_t size);
    /* NULL: the line has no rate. */
    bool (*can_baud)(uint32_t baud);
    /* Waits until what was written is out. False: the old rate stays. */
    bool (*set_baud)(uint32_t baud);
} hil_port_line_t;

#define HIL_UART_BAUD 115200u

/* Open a line whose receive buffer holds `receive_bytes`; NULL where the driver refuses. */
const hil_port_line_t *hil_line_uart_open(size_t receive_bytes);
const hil_port_line_t *hil_line_usb_jtag_open(size_t receive_bytes);
const hil_port_line_t *hil_line_cdc_open(void);

#endif
