/* UART0 as the line: any rate that the divider can make, checked after it is set. */
#include "hil_port_line.h"

#include "driver/uart.h" /* component esp_driver_uart, IDF >= 5.3 */
#include "freertos/FreeRTOS.h"
#include "sdkconfig.h"

#define PORT UART_NUM_0
#define TRANSMIT_BYTES 0  /* no ring: a write returns when the last byte is in the FIFO */
#define LOWEST_BAUD 9600u /* slower, one frame would outlast the watchdog */
#define HIGHEST_BAUD ((uint32_t)CONFIG_HIL_UART_HIGHEST_BAUD)
#define TOLERANCE 40u /* the rate may be off by 1/40: 2.5 % is what 8N1 bears */
#define DRAIN_MS 1000u

static int uart_read(uint8_t *data, size_t size, uint32_t wait_ms)
{
    /* The driver waits for all of `size`: first one byte, then what is there already. */
    int count = uart_read_bytes(PORT, data, 1, pdMS_TO_TICKS(wait_ms));
    if (count != 1) {
        return count;
    }
    size_t there = 0;
    if (uart_get_buffered_data_len(PORT, &there) != ESP_OK) {
        return count;
    }
    size_t rest = there < size - 1 ? there : size - 1;
    int more = rest > 0 ? uart_read_bytes(PORT, data + 1, (uint32_t)rest, 0) : 0;
    return more > 0 ? count + more : count;
}

static bool uart_write(const uint8_t *data, size_t size)
{
    return uart_write_bytes(PORT, data, size) == (int)size;
}

static bool uart_can_baud(uint32_t baud)
{
    return baud >= LOWEST_BAUD && baud <= HIGHEST_BAUD;
}

static bool has_baud(uint32_t baud)
{
    uint32_t real = 0;
    if (uart_get_baudrate(PORT, &real) != ESP_OK) {
        return false;
    }
    uint32_t off = real > baud ? real - baud : baud - real;
    return off <= baud / TOLERANCE;
}

static bool uart_set_baud(uint32_t baud)
{
    uint32_t before = 0;
    if (uart_get_baudrate(PORT, &before) != ESP_OK ||
        uart_wait_tx_done(PORT, pdMS_TO_TICKS(DRAIN_MS)) != ESP_OK) {
        return false;
    }
    if (uart_set_baudrate(PORT, baud) == ESP_OK && has_baud(baud)) {
        return true;
    }
    (void)uart_set_baudrate(PORT, before);
    return false;
}

const hil_port_line_t *hil_line_uart_open(size_t receive_bytes)
{
    static const hil_port_line_t line = {
        .name = "uart",
        .read = uart_read,
        .write = uart_write,
        .can_baud = uart_can_baud,
        .set_baud = uart_set_baud,
    };
    const uart_config_t config = {
        .baud_rate = (int)HIL_UART_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    /* UART0's pins are those that the ROM and the console set up. */
    if (uart_driver_install(PORT, (int)receive_bytes, TRANSMIT_BYTES, 0, NULL, 0) != ESP_OK) {
        return NULL;
    }
    if (uart_param_config(PORT, &config) != ESP_OK) {
        (void)uart_driver_delete(PORT);
        return NULL;
    }
    return &line;
}
