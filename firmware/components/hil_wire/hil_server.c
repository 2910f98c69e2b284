/* The server's door: frames, dispatch, answers, and the requests about the board itself. */
#include <string.h>

#include "hil_server_internal.h"

#define TEXT_MAX 1024u
#define SUBJECT_MAX 64u
#define BAUD_TRIAL_NS 500000000u

/* --- Answers ------------------------------------------------------------------------------ */

hil_writer_t hil_server_body(hil_server_t *server)
{
    return hil_writer(server->frame.bytes + HIL_FRAME_BODY_AT, HIL_BODY_MAX);
}

static void send_frame(hil_server_t *server, uint8_t type, uint16_t seq, size_t body_size)
{
    size_t size = hil_frame_seal(&server->frame, type, seq, body_size);
    server->config.port.write(server->config.port.user, server->frame.bytes, size);
}

void hil_server_answer(hil_server_t *server, const hil_writer_t *body)
{
    if (!body->ok) {
        hil_server_fail(server, HIL_ERR_MEMORY, "answer: does not fit a frame");
        return;
    }
    send_frame(server, server->type | HIL_MSG_ANSWER, server->seq, body->at);
}

void hil_server_answer_empty(hil_server_t *server)
{
    send_frame(server, server->type | HIL_MSG_ANSWER, server->seq, 0);
}

void hil_server_announce(hil_server_t *server, hil_message_t type, const hil_writer_t *body)
{
    if (body->ok) {
        send_frame(server, (uint8_t)type, 0, body->at);
    }
}

/* As much of the text as one string may take, without half a UTF-8 character at its end. */
static size_t bounded(const char *text, size_t size, size_t limit)
{
    if (size <= limit) {
        return size;
    }
    while (limit > 0 && ((uint8_t)text[limit] & 0xC0) == 0x80) {
        limit--;
    }
    return limit;
}

/* What is wrong, the word of the file that it is about, and who we are where that is the point. */
static void put_text(const hil_server_t *server, hil_writer_t *body, const hil_error_t *error)
{
    const char *what = error->what != NULL ? error->what : "";
    const char *target = error->status == HIL_ERR_TARGET ? server->config.identity.target : "";
    const char *before = error->subject != NULL ? ": " : "";
    const char *between = target[0] != 0 ? "; this is " : "";
    size_t sizes[] = {
        bounded(what, strlen(what), TEXT_MAX),
        strlen(before),
        error->subject != NULL ? bounded(error->subject, error->subject_size, SUBJECT_MAX) : 0,
        strlen(between),
        bounded(target, strlen(target), SUBJECT_MAX),
    };
    const char *pieces[] = {what, before, error->subject, between, target};
    size_t total = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        total += sizes[i];
    }
    hil_put_u16(body, (uint16_t)total);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        hil_put(body, pieces[i], sizes[i]);
    }
}

void hil_server_fail_with(hil_server_t *server, const hil_error_t *error)
{
    hil_writer_t body = hil_server_body(server);
    size_t node_size = error->node != NULL ? error->node_size : 0;
    hil_put_u8(&body, (uint8_t)error->status);
    hil_put_u8(&body, server->type);
    hil_put_u32(&body, error->offset);
    hil_put_string(&body, error->node, bounded(error->node, node_size, TEXT_MAX));
    put_text(server, &body, error);
    send_frame(server, HIL_MSG_ERROR, server->seq, body.at);
}

void hil_server_fail(hil_server_t *server, hil_status_t status, const char *what)
{
    hil_error_t error = {.status = status, .what = what};
    hil_server_fail_with(server, &error);
}

bool hil_server_body_ok(hil_server_t *server, const hil_cursor_t *body)
{
    if (!hil_cursor_complete(body)) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "request: size of the body");
        return false;
    }
    return true;
}

void hil_server_log(hil_server_t *server, hil_log_level_t level, const char *text, size_t size)
{
    hil_writer_t body = hil_server_body(server);
    hil_put_u8(&body, (uint8_t)level);
    hil_put(&body, text, bounded(text, size, TEXT_MAX));
    hil_server_announce(server, HIL_MSG_LOG, &body);
}

/* --- The board itself --------------------------------------------------------------------- */

void hil_put_regions(hil_server_t *server, hil_writer_t *writer)
{
    const hil_server_config_t *config = &server->config;
    hil_region_t regions[HIL_SERVER_REGIONS];
    uint32_t count = 0;

    uint32_t arena = config->arena_size < UINT32_MAX ? (uint32_t)config->arena_size : UINT32_MAX;
    regions[count++] = (hil_region_t){.name = "arena", .total_bytes = arena, .free_bytes = arena};
    if (server->session.with != NULL) {
        const hil_engine_t *engine = server->session.with->engine;
        hil_engine_memory_t used;
        engine->memory(engine, &used);
        regions[0].free_bytes = arena - (used.used_bytes < arena ? used.used_bytes : arena);
        regions[0].high_water_bytes = used.high_water_bytes;
    }
    uint32_t store = hil_store_capacity(config->store);
    uint32_t store_free = hil_store_free(config->store);
    regions[count++] = (hil_region_t){.name = "store",
                                      .total_bytes = store,
                                      .free_bytes = store_free,
                                      .high_water_bytes = store - store_free};
    if (config->port.regions != NULL) {
        count +=
            config->port.regions(config->port.user, regions + count, HIL_SERVER_REGIONS - count);
    }

    hil_put_u8(writer, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        hil_put_text(writer, regions[i].name);
        hil_put_u32(writer, regions[i].total_bytes);
        hil_put_u32(writer, regions[i].free_bytes);
        hil_put_u32(writer, regions[i].high_water_bytes);
    }
}

static void put_identity(hil_server_t *server, hil_writer_t *writer)
{
    const hil_server_config_t *config = &server->config;
    const hil_identity_t *identity = &config->identity;
    hil_put_u8(writer, HIL_PROTOCOL_VERSION);
    hil_put_u8(writer, (uint8_t)((identity->is_virtual ? HIL_IDENTITY_VIRTUAL : 0) |
                                 (identity->counts_instructions ? HIL_IDENTITY_INSTRUCTIONS : 0)));
    hil_put_u8(writer, identity->window);
    hil_put_u16(writer, identity->chunk_size);
    hil_put_text(writer, identity->target);
    hil_put_text(writer, identity->chip_revision);
    hil_put(writer, identity->mac, sizeof(identity->mac));
    hil_put(writer, identity->firmware_sha256, sizeof(identity->firmware_sha256));
    hil_put_text(writer, identity->firmware_version);
    hil_put_text(writer, identity->reset_reason);

    hil_put_u8(writer, config->engine_count);
    for (uint8_t i = 0; i < config->engine_count; i++) {
        hil_put_u8(writer, config->engines[i].id);
        hil_put_text(writer, config->engines[i].engine->name);
        hil_put_text(writer, config->engines[i].engine->version);
    }
    const hil_store_t *store = config->store;
    hil_put_u8(writer, (uint8_t)store->count);
    for (uint32_t i = 0; i < store->count; i++) {
        hil_put(writer, store->entries[i].sha256, HIL_SHA256_SIZE);
    }
    hil_put_regions(server, writer);
    hil_put_u8(writer, identity->fact_count);
    for (uint8_t i = 0; i < identity->fact_count; i++) {
        hil_put_text(writer, identity->facts[i].name);
        hil_put_text(writer, identity->facts[i].value);
    }
}

static void on_hello(hil_server_t *server, hil_cursor_t *body)
{
    uint8_t lowest = hil_take_u8(body);
    uint8_t highest = hil_take_u8(body);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    if (lowest > HIL_PROTOCOL_VERSION || highest < HIL_PROTOCOL_VERSION) {
        hil_server_fail(server, HIL_ERR_VERSION, "hello: this firmware speaks version 2");
        return;
    }
    server->baud_on_trial = false;
    hil_writer_t answer = hil_server_body(server);
    put_identity(server, &answer);
    hil_server_answer(server, &answer);
}

static void on_memory(hil_server_t *server, hil_cursor_t *body)
{
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    hil_writer_t answer = hil_server_body(server);
    hil_put_regions(server, &answer);
    hil_server_answer(server, &answer);
}

static void on_reboot(hil_server_t *server, hil_cursor_t *body)
{
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    if (server->config.port.reboot == NULL) {
        hil_server_fail(server, HIL_ERR_UNSUPPORTED, "reboot: not on this board");
        return;
    }
    hil_server_answer_empty(server);
    server->config.port.reboot(server->config.port.user);
}

static void on_baud(hil_server_t *server, hil_cursor_t *body)
{
    const hil_port_t *port = &server->config.port;
    uint32_t baud = hil_take_u32(body);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    if (port->can_baud == NULL || port->set_baud == NULL || !port->can_baud(port->user, baud)) {
        hil_server_fail(server, HIL_ERR_UNSUPPORTED, "baud: not on this line");
        return;
    }
    hil_server_answer_empty(server);
    if (!server->baud_on_trial) { /* a second trial falls back to where the first one began */
        server->baud_before = server->baud;
    }
    server->baud = baud;
    server->baud_on_trial = true;
    server->baud_deadline_ns = port->now_ns(port->user) + BAUD_TRIAL_NS;
    port->set_baud(port->user, baud);
}

void hil_server_tick(hil_server_t *server)
{
    const hil_port_t *port = &server->config.port;
    if (server->baud_on_trial && port->now_ns(port->user) >= server->baud_deadline_ns) {
        server->baud_on_trial = false;
        server->baud = server->baud_before;
        port->set_baud(port->user, server->baud);
    }
}

/* --- Dispatch ----------------------------------------------------------------------------- */

typedef void (*handler_t)(hil_server_t *server, hil_cursor_t *body);

static const handler_t HANDLERS[] = {
    [HIL_MSG_HELLO] = on_hello,
    [HIL_MSG_MODEL_BEGIN] = hil_server_on_model_begin,
    [HIL_MSG_MODEL_DATA] = hil_server_on_model_data,
    [HIL_MSG_MODEL_COMMIT] = hil_server_on_model_commit,
    [HIL_MSG_LOAD] = hil_server_on_load,
    [HIL_MSG_OUTPUTS] = hil_server_on_outputs,
    [HIL_MSG_INPUT] = hil_server_on_input,
    [HIL_MSG_TEST_INPUTS] = hil_server_on_test_inputs,
    [HIL_MSG_CAPTURE] = hil_server_on_capture,
    [HIL_MSG_RUN] = hil_server_on_run,
    [HIL_MSG_NODES] = hil_server_on_nodes,
    [HIL_MSG_LATENCIES] = hil_server_on_latencies,
    [HIL_MSG_READ_OUTPUT] = hil_server_on_read_output,
    [HIL_MSG_READ_CAPTURE] = hil_server_on_read_capture,
    [HIL_MSG_MEMORY] = on_memory,
    [HIL_MSG_RESET_STATE] = hil_server_on_reset_state,
    [HIL_MSG_MODEL_ERASE] = hil_server_on_model_erase,
    [HIL_MSG_REBOOT] = on_reboot,
    [HIL_MSG_BAUD] = on_baud,
};

void hil_server_handle(hil_server_t *server, const hil_packet_t *packet)
{
    if (packet->type >= HIL_MSG_FIRST_NO_REQUEST) {
        return; /* the line's echo of what we said; an answer would go round for ever */
    }
    server->type = packet->type;
    server->seq = packet->seq;
    handler_t handler =
        packet->type < sizeof(HANDLERS) / sizeof(HANDLERS[0]) ? HANDLERS[packet->type] : NULL;
    if (handler == NULL) {
        hil_server_fail(server, HIL_ERR_UNSUPPORTED, "request: unknown type");
        return;
    }
    hil_cursor_t body = hil_cursor(packet->body, packet->body_size);
    handler(server, &body);
}

void hil_server_begin(hil_server_t *server, const hil_server_config_t *config)
{
    memset(server, 0, sizeof(*server));
    server->config = *config;
    server->baud = config->identity.baud;
    hil_frame_decoder_begin(&server->decoder);
}

void hil_server_receive(hil_server_t *server, const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        hil_packet_t packet;
        bool found;
        at += hil_frame_feed(&server->decoder, data + at, size - at, &packet, &found);
        if (found) {
            hil_server_handle(server, &packet);
        }
    }
}
