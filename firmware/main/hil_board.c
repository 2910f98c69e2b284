/* Putting the board together, and its loop. */
#include "hil_board.h"

#include <string.h>

#include "esp_heap_caps.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "hil_board_line.h"
#include "hil_cursor.h"
#include "hil_port_board.h"
#include "hil_port_crumb.h"
#include "hil_port_log.h"
#include "hil_port_memory.h"
#include "hil_port_temperature.h"
#include "sdkconfig.h"

#define ENGINE_REFERENCE 0
#define ENGINE_ESPDL 1

/* Shares of the large memory; the rest is the engines'. */
#define STORE_SHARE 3 /* only where there is no partition for it */
#define INPUTS_SHARE 8
#define CAPTURES_SHARE 8
#define ROWS_SHARE 32
#define LATENCIES_SHARE 256
#define MOST_LATENCIES 4096u
#define TAKE_ATTEMPTS 3

#define ALIVE_MS 200u
#define TEXT_MAX 96

/* --- The port ----------------------------------------------------------------------------- */

static void port_write(void *user, const uint8_t *data, size_t size)
{
    hil_board_write(user, data, size);
}

static uint64_t port_now_ns(void *user)
{
    (void)user;
    return hil_board_now_ns();
}

/* In the inference task, so always of the same core. */
static uint32_t port_cycles(void *user)
{
    (void)user;
    return hil_board_cycles();
}

static bool port_temperature(void *user, int16_t *tenths)
{
    float celsius;
    (void)user;
    if (!hil_temperature_read(&celsius)) {
        return false;
    }
    *tenths = (int16_t)(celsius * 10.0f);
    return true;
}

static void port_reboot(void *user)
{
    (void)user;
    hil_board_restart();
}

static hil_region_t stack_region(const char *name, uint32_t total, uint32_t used)
{
    return (hil_region_t){
        .name = name,
        .total_bytes = total,
        .free_bytes = total - used,
        .high_water_bytes = used,
    };
}

static uint32_t port_regions(void *user, hil_region_t *regions, uint32_t capacity)
{
    const hil_board_t *board = user;
    uint32_t count = hil_port_heap_regions(regions, capacity);
    if (count < capacity) {
        regions[count++] = stack_region("stack_inference", HIL_WORKER_STACK,
                                        hil_worker_stack_used(&board->worker));
    }
    if (count < capacity) {
        uint32_t left = (uint32_t)uxTaskGetStackHighWaterMark(NULL);
        regions[count++] = stack_region("stack_server", CONFIG_ESP_MAIN_TASK_STACK_SIZE,
                                        CONFIG_ESP_MAIN_TASK_STACK_SIZE - left);
    }
    return count;
}

/* --- While the inference task works ------------------------------------------------------- */

static const hil_port_engine_t *running_engine(const hil_board_t *board)
{
    if (atomic_load(&board->espdl.running)) {
        return &board->espdl;
    }
    return atomic_load(&board->reference.running) ? &board->reference : NULL;
}

/* Where one node takes longer than the host's patience, no observer comes by to say ALIVE. */
static void say_alive(hil_board_t *board, const hil_port_engine_t *engine)
{
    hil_writer_t body = hil_writer(board->own.bytes + HIL_FRAME_BODY_AT, HIL_BODY_MAX);
    hil_put_u32(&body, board->server.session.run_id);
    hil_put_u32(&body, atomic_load(&engine->node));
    hil_put_u16(&body, board->server.observation.run);
    hil_board_send_own(board, HIL_MSG_ALIVE, 0, body.at);
    atomic_store(&board->alive_said, true);
}

static void meanwhile(void *user)
{
    hil_board_t *board = user;
    (void)esp_task_wdt_reset();
    hil_board_send_log(board);
    const hil_port_engine_t *engine = running_engine(board);
    if (engine != NULL && hil_board_now_ms() - atomic_load(&board->written_ms) >= ALIVE_MS) {
        say_alive(board, engine);
    }
}

/* In the inference task: the server need not say again what was just said. */
static void before_node(void *user, uint32_t node_index)
{
    hil_board_t *board = user;
    (void)node_index;
    if (atomic_exchange(&board->alive_said, false)) {
        board->server.observation.alive_ns = hil_board_now_ns();
    }
}

/* --- Start -------------------------------------------------------------------------------- */

static bool mount_store(hil_board_t *board)
{
    if (hil_port_flash_open(&board->flash)) {
        hil_flash_t face = hil_port_flash_face(&board->flash);
        if (hil_store_mount(&board->store, &face) == HIL_OK) {
            return true;
        }
        hil_port_log(HIL_LOG_ERROR, "store: partition '%s' does not mount; models stay in memory",
                     HIL_MODEL_PARTITION);
    } else {
        hil_port_log(HIL_LOG_ERROR, "store: no partition '%s'; models stay in memory",
                     HIL_MODEL_PARTITION);
    }
    uint32_t size = (uint32_t)(hil_port_largest() / STORE_SHARE);
    if (!hil_port_flash_in_memory(&board->flash, size)) {
        return false;
    }
    hil_flash_t face = hil_port_flash_face(&board->flash);
    return hil_store_mount(&board->store, &face) == HIL_OK;
}

/* Takes shares of `whole`: all of them, or none. */
static bool take_shares(hil_server_config_t *config, size_t whole)
{
    config->inputs_size = whole / INPUTS_SHARE / 16 * 16;
    config->captures_size = whole / CAPTURES_SHARE / 16 * 16;
    config->row_capacity = (uint32_t)(whole / ROWS_SHARE / sizeof(hil_row_t));
    size_t latencies = whole / LATENCIES_SHARE / sizeof(uint32_t);
    config->latency_capacity = (uint16_t)(latencies < MOST_LATENCIES ? latencies : MOST_LATENCIES);
    config->inflate = hil_port_take(sizeof(hil_inflate_t));
    config->inputs = hil_port_take(config->inputs_size);
    config->captures = hil_port_take(config->captures_size);
    config->rows = hil_port_take(config->row_capacity * sizeof(hil_row_t));
    config->latencies = hil_port_take(config->latency_capacity * sizeof(uint32_t));
    if (config->inflate != NULL && config->inputs != NULL && config->captures != NULL &&
        config->rows != NULL && config->latencies != NULL) {
        return true;
    }
    heap_caps_free(config->inflate);
    heap_caps_free(config->inputs);
    heap_caps_free(config->captures);
    heap_caps_free(config->rows);
    heap_caps_free(config->latencies);
    return false;
}

/* The heap is in pieces, so shares of its whole may not be there where half of them are. */
static bool take_memory(hil_server_config_t *config)
{
    size_t whole = hil_port_largest();
    for (int attempt = 0; attempt < TAKE_ATTEMPTS; attempt++, whole /= 2) {
        if (take_shares(config, whole)) {
            return true;
        }
    }
    return false;
}

#if CONFIG_HIL_ESPDL_WHOLE_FILE
#define PARAMETERS HIL_ESPDL_WHOLE_FILE
#elif CONFIG_HIL_ESPDL_IN_PLACE
#define PARAMETERS HIL_ESPDL_IN_PLACE
#else
#define PARAMETERS HIL_ESPDL_COPY
#endif

static void add_engine(hil_board_t *board, hil_port_engine_t *engine, uint8_t id, uint8_t *count)
{
    engine->before_node = before_node;
    engine->user = board;
    board->engines[(*count)++] = (hil_server_engine_t){.id = id, .engine = &engine->face};
}

/* ESP-DL first: it is what a board is asked for unless the host says otherwise. */
static uint8_t begin_engines(hil_board_t *board)
{
    const hil_espdl_options_t options = {
        .parameters = PARAMETERS,
        .internal_bytes = CONFIG_HIL_ESPDL_INTERNAL_BYTES,
    };
    uint8_t count = 0;
    hil_worker_begin(&board->worker, meanwhile, board);
    hil_espdl_engine_init(&board->espdl_inner, &board->espdl_state, &options);
    hil_port_engine_init(&board->espdl, &board->espdl_inner, &board->worker, false);
    add_engine(board, &board->espdl, ENGINE_ESPDL, &count);
    hil_ref_engine_init(&board->reference_inner, &board->reference_state);
    hil_port_engine_init(&board->reference, &board->reference_inner, &board->worker, true);
    add_engine(board, &board->reference, ENGINE_REFERENCE, &count);
    return count;
}

static const char *begin_server(hil_board_t *board)
{
    hil_server_config_t config = {
        .port =
            {
                .user = board,
                .write = port_write,
                .now_ns = port_now_ns,
                .cycles = port_cycles,
                .temperature = port_temperature,
                .can_baud = hil_board_can_baud,
                .set_baud = hil_board_set_baud,
                .reboot = port_reboot,
                .regions = port_regions,
            },
        .store = &board->store,
        .engines = board->engines,
        .kernels = hil_board_kernels(),
    };
    hil_board_identify(&config.identity);
    config.identity.window = CONFIG_HIL_LINE_WINDOW;
    config.identity.chunk_size = HIL_CHUNK_MAX;
    config.identity.baud = HIL_UART_BAUD;
    if (!mount_store(board)) {
        return "start: no memory for the model store";
    }
    if (!take_memory(&config)) {
        return "start: no memory for inputs and captures";
    }
    config.engine_count = begin_engines(board);
    config.arena_size = hil_port_largest(); /* each engine takes it while it has a model */
    hil_server_begin(&board->server, &config);
    return NULL;
}

void hil_board_begin(hil_board_t *board)
{
    memset(board, 0, sizeof(*board));
    hil_crumb_begin();
    hil_port_log_begin();
    hil_temperature_begin();
    if (esp_task_wdt_add(NULL) != ESP_OK) {
        hil_port_log(HIL_LOG_WARNING, "the task watchdog does not watch the server");
    }
    (void)hil_board_open_lines(board);
    board->sick = begin_server(board);
    if (board->sick != NULL) {
        hil_port_log(HIL_LOG_ERROR, "%s", board->sick);
    } else {
        hil_port_log(HIL_LOG_INFO, "runner ready");
    }
    hil_board_send_log(board);
}

/* --- Loop --------------------------------------------------------------------------------- */

static void answer_sick(hil_board_t *board, const hil_packet_t *packet)
{
    if (packet->type >= HIL_MSG_FIRST_NO_REQUEST) {
        return;
    }
    hil_writer_t body = hil_writer(board->own.bytes + HIL_FRAME_BODY_AT, HIL_BODY_MAX);
    hil_put_u8(&body, HIL_ERR_MEMORY);
    hil_put_u8(&body, packet->type);
    hil_put_u32(&body, 0);
    hil_put_text(&body, "");
    hil_put_text(&body, board->sick);
    hil_board_send_own(board, HIL_MSG_ERROR, packet->seq, body.at);
    if (packet->type == HIL_MSG_REBOOT) {
        hil_board_restart();
    }
}

/* Once a boot, to a host that listens: how the last boot ended. */
static void tell_history(hil_board_t *board)
{
    char text[TEXT_MAX];
    if (hil_crumb_describe(text, sizeof(text))) {
        hil_port_log(HIL_LOG_ERROR, "%s (%s)", text, board->server.config.identity.reset_reason);
    }
    board->told_history = true;
}

static void handle(hil_board_t *board, const hil_packet_t *packet)
{
    if (board->sick != NULL) {
        answer_sick(board, packet);
        return;
    }
    hil_server_handle(&board->server, packet);
    if (packet->type == HIL_MSG_HELLO && !board->told_history) {
        tell_history(board);
    }
}

void hil_board_step(hil_board_t *board, uint32_t wait_ms)
{
    (void)esp_task_wdt_reset();
    hil_board_receive(board, wait_ms, handle);
    if (board->sick == NULL) {
        hil_server_tick(&board->server);
    }
    hil_board_send_log(board);
}
