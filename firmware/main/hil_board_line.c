/* Lines, frames, logs. */
#include "hil_board_line.h"

#include <string.h>

#include "hil_cursor.h"
#include "hil_port_board.h"
#include "hil_port_log.h"
#include "sdkconfig.h"

#define NS_PER_MS 1000000u
#define LOG_LINES_AT_ONCE 16
#define RECEIVE_BYTES ((size_t)CONFIG_HIL_LINE_WINDOW * HIL_FRAME_MAX)

uint32_t hil_board_now_ms(void)
{
    return (uint32_t)(hil_board_now_ns() / NS_PER_MS);
}

static void add_line(hil_board_t *board, const hil_port_line_t *line)
{
    if (line == NULL) {
        hil_port_log(HIL_LOG_ERROR, "a line did not open");
        return;
    }
    hil_board_line_t *added = &board->lines[board->line_count++];
    added->line = line;
    hil_frame_decoder_begin(&added->decoder);
}

bool hil_board_open_lines(hil_board_t *board)
{
    board->line_lock = xSemaphoreCreateMutexStatic(&board->line_lock_memory);
    board->line_count = 0;
    board->baud = HIL_UART_BAUD;
#if CONFIG_HIL_LINE_UART
    add_line(board, hil_line_uart_open(RECEIVE_BYTES));
#endif
#if CONFIG_HIL_LINE_USB_SERIAL_JTAG
    add_line(board, hil_line_usb_jtag_open(RECEIVE_BYTES));
#endif
#if CONFIG_HIL_LINE_USB_CDC
    add_line(board, hil_line_cdc_open());
#endif
    board->active = board->line_count > 0 ? board->lines[0].line : NULL;
    return board->active != NULL;
}

void hil_board_write(hil_board_t *board, const uint8_t *frame, size_t size)
{
    /* Where nobody reads, each frame would cost the line's whole patience: more, after a few log
     * lines, than the watchdog's. */
    if (board->active == NULL || atomic_load(&board->deaf) ||
        xSemaphoreTake(board->line_lock, portMAX_DELAY) != pdTRUE) {
        return;
    }
    /* A frame that does not get out is one that the host asks for again. */
    if (board->active->write(frame, size)) {
        atomic_store(&board->written_ms, hil_board_now_ms());
    } else {
        atomic_store(&board->deaf, true);
    }
    xSemaphoreGive(board->line_lock);
}

void hil_board_send_own(hil_board_t *board, uint8_t type, uint16_t seq, size_t body_size)
{
    size_t size = hil_frame_seal(&board->own, type, seq, body_size);
    hil_board_write(board, board->own.bytes, size);
}

void hil_board_send_log(hil_board_t *board)
{
    char text[HIL_LOG_LINE];
    hil_log_level_t level;
    /* So many at a time: a task that logs without end must not hold up the server. */
    for (int i = 0; i < LOG_LINES_AT_ONCE && hil_port_log_take(text, &level); i++) {
        hil_writer_t body = hil_writer(board->own.bytes + HIL_FRAME_BODY_AT, HIL_BODY_MAX);
        hil_put_u8(&body, (uint8_t)level);
        hil_put(&body, text, strlen(text));
        hil_board_send_own(board, HIL_MSG_LOG, 0, body.at);
    }
}

static void read_line(hil_board_t *board, hil_board_line_t *from, uint32_t wait_ms,
                      void (*handle)(hil_board_t *board, const hil_packet_t *packet))
{
    int count = from->line->read(board->bytes, sizeof(board->bytes), wait_ms);
    size_t at = 0;
    while (count > 0 && at < (size_t)count) {
        hil_packet_t packet;
        bool found;
        at +=
            hil_frame_feed(&from->decoder, board->bytes + at, (size_t)count - at, &packet, &found);
        if (found) {
            board->active = from->line;
            atomic_store(&board->deaf, false);
            handle(board, &packet);
        }
    }
}

void hil_board_receive(hil_board_t *board, uint32_t wait_ms,
                       void (*handle)(hil_board_t *board, const hil_packet_t *packet))
{
    for (uint32_t i = 0; i < board->line_count; i++) {
        hil_board_line_t *line = &board->lines[i];
        read_line(board, line, line->line == board->active ? wait_ms : 0, handle);
    }
}

bool hil_board_can_baud(void *user, uint32_t baud)
{
    const hil_board_t *board = user;
    return board->active != NULL && board->active->can_baud != NULL &&
           board->active->can_baud(baud);
}

void hil_board_set_baud(void *user, uint32_t baud)
{
    hil_board_t *board = user;
    if (board->active == NULL || board->active->set_baud == NULL) {
        return; /* the host moved to another line meanwhile */
    }
    if (board->active->set_baud(baud)) {
        board->baud = baud;
    } else {
        hil_port_log(HIL_LOG_WARNING, "baud: %u cannot be made; stays %u", (unsigned)baud,
                     (unsigned)board->baud);
    }
}
