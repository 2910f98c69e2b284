/* Requests about runs: captures, running under an observer, and reading what came out. */
#include <string.h>

#include "hil_hash.h"
#include "hil_server_internal.h"

#define ALIVE_EVERY_NS 200000000u
#define TICK_NS 100u

static uint64_t now(const hil_server_t *server)
{
    return server->config.port.now_ns(server->config.port.user);
}

/* 0 where the port has no counter, so that every difference is 0 too. */
static uint32_t cycles_now(const hil_server_t *server)
{
    const hil_port_t *port = &server->config.port;
    return port->cycles != NULL ? port->cycles(port->user) : 0;
}

static int16_t temperature_now(const hil_server_t *server)
{
    const hil_port_t *port = &server->config.port;
    int16_t tenths = HIL_NO_TEMPERATURE;
    if (port->temperature != NULL && !port->temperature(port->user, &tenths)) {
        tenths = HIL_NO_TEMPERATURE;
    }
    return tenths;
}

static uint32_t in_ticks(uint64_t ns)
{
    uint64_t ticks = ns / TICK_NS;
    return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/* --- Captures ----------------------------------------------------------------------------- */

void hil_server_on_capture(hil_server_t *server, hil_cursor_t *body)
{
    uint8_t slot = hil_take_u8(body);
    uint16_t size = hil_take_u16(body);
    const uint8_t *name = hil_take(body, size);
    if (!hil_server_body_ok(server, body) || hil_server_engine(server) == NULL) {
        return;
    }
    if (slot >= HIL_SERVER_CAPTURES) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "capture: slot");
        return;
    }
    server->session.captures[slot] = (hil_capture_t){
        .wanted = size > 0,
        .name_size = size,
        .name_hash = hil_xxh64(name, size, 0),
    };
    hil_server_answer_empty(server);
}

/* Keeps a copy of the value in every slot that asks for it. */
static void capture(hil_server_t *server, const hil_node_output_t *output)
{
    hil_observation_t *observation = &server->observation;
    uint32_t name_size = output->value.name.size;
    for (uint32_t slot = 0; slot < HIL_SERVER_CAPTURES; slot++) {
        hil_capture_t *wish = &server->session.captures[slot];
        if (!wish->wanted || wish->name_size != name_size ||
            wish->name_hash != hil_xxh64(output->value.name.data, name_size, 0)) {
            continue;
        }
        uint32_t size = output->value.size_bytes;
        if (size > server->config.captures_size - observation->captured) {
            observation->error = (hil_error_t){
                .status = HIL_ERR_MEMORY,
                .what = "capture: no memory for the value",
                .node = output->node.data,
                .node_size = output->node.size,
            };
            return;
        }
        memcpy(server->config.captures + observation->captured, output->data, size);
        wish->found = true;
        wish->at = observation->captured;
        wish->size = size;
        size_t end = hil_align_up(observation->captured + size);
        observation->captured =
            end < server->config.captures_size ? end : server->config.captures_size;
    }
}

/* --- The observer ------------------------------------------------------------------------- */

static void say_alive(hil_server_t *server, uint32_t node_index)
{
    hil_writer_t body = hil_server_body(server);
    hil_put_u32(&body, server->session.run_id);
    hil_put_u32(&body, node_index);
    hil_put_u16(&body, server->observation.run);
    hil_server_announce(server, HIL_MSG_ALIVE, &body);
}

static void node_begin(void *user, uint32_t node_index)
{
    hil_server_t *server = user;
    hil_observation_t *observation = &server->observation;
    uint64_t begin = now(server);
    if (begin - observation->alive_ns >= ALIVE_EVERY_NS) {
        observation->alive_ns = begin;
        say_alive(server, node_index);
        uint64_t end = now(server);
        observation->observer_ns += end - begin;
        begin = end;
    }
    observation->begin_ns = begin;
    observation->begin_observer_ns = observation->observer_ns;
    observation->node_index = node_index;
    observation->node_has_row = false;
    observation->node_latency = 0;
    observation->observer_cycles = 0;
    observation->begin_cycles = cycles_now(server);
}

/* An engine may report a node's outputs before its end or after it: both give it its latency. */
static void node_end(void *user, uint32_t node_index)
{
    hil_server_t *server = user;
    hil_observation_t *observation = &server->observation;
    (void)node_index;
    /* Differences are right through one wrap: more than 10 s of a node at 400 MHz. */
    uint32_t spent = cycles_now(server) - observation->begin_cycles;
    observation->cycles += spent - observation->observer_cycles;
    uint64_t observed = observation->observer_ns - observation->begin_observer_ns;
    observation->node_latency = in_ticks(now(server) - observation->begin_ns - observed);
    if (observation->node_has_row) {
        server->config.rows[observation->node_row].latency = observation->node_latency;
    }
}

static void add_row(hil_server_t *server, const hil_node_output_t *output)
{
    hil_observation_t *observation = &server->observation;
    hil_session_t *session = &server->session;
    if (session->row_count == server->config.row_capacity) {
        observation->error = (hil_error_t){
            .status = HIL_ERR_MEMORY,
            .what = "nodes: no memory for so many rows",
            .node = output->node.data,
            .node_size = output->node.size,
        };
        return;
    }
    hil_row_t *row = &server->config.rows[session->row_count];
    *row = (hil_row_t){
        .node = output->node,
        .op_type = output->op_type,
        .value = output->value.name,
        .dtype = output->value.dtype,
        .exponent = output->value.exponent,
        .rank = output->value.rank < HIL_MAX_RANK ? output->value.rank : HIL_MAX_RANK,
        .digest = hil_xxh64(output->data, output->value.size_bytes, 0),
    };
    memcpy(row->dims, output->value.dims, sizeof(row->dims));
    if (!observation->node_has_row) {
        row->latency = observation->node_latency;
        observation->node_has_row = true;
        observation->node_row = session->row_count;
    }
    session->row_count++;
}

static void node_output(void *user, const hil_node_output_t *output)
{
    hil_server_t *server = user;
    hil_observation_t *observation = &server->observation;
    if (!observation->recording || observation->error.status != HIL_OK) {
        return;
    }
    uint64_t begin = now(server);
    uint32_t begin_cycles = cycles_now(server);
    if (observation->digests) {
        add_row(server, output);
    }
    capture(server, output);
    observation->observer_cycles += cycles_now(server) - begin_cycles;
    observation->observer_ns += now(server) - begin;
}

/* --- Running ------------------------------------------------------------------------------ */

typedef struct {
    uint16_t warmup;
    uint16_t repeat;
    uint8_t cores;
    uint8_t flags;
} plan_t;

static hil_status_t run_once(hil_server_t *server, const plan_t *plan, uint64_t *ns,
                             hil_error_t *error)
{
    hil_observer_t observer = {
        .user = server,
        .node_begin = node_begin,
        .node_end = node_end,
        .node_output = node_output,
    };
    hil_engine_t *engine = server->session.with->engine;
    if ((plan->flags & HIL_RUN_KEEP_STATE) == 0) {
        hil_server_reset_state(server);
    }
    server->session.state_known = false; /* until this run ends well */
    hil_status_t status = hil_server_set_inputs(server);
    if (status != HIL_OK) {
        *error = (hil_error_t){.status = status, .what = "run: setting the inputs"};
        return status;
    }
    server->observation.observer_ns = 0;
    server->observation.cycles = 0;
    uint64_t begin = now(server);
    status = engine->run(engine, plan->cores, &observer, error);
    *ns = now(server) - begin - server->observation.observer_ns;
    if (status != HIL_OK) {
        error->status = status;
    } else if (server->observation.error.status != HIL_OK) {
        *error = server->observation.error;
        status = error->status;
    }
    server->session.state_known = status == HIL_OK;
    return status;
}

static void run_all(hil_server_t *server, const plan_t *plan)
{
    hil_session_t *session = &server->session;
    uint32_t total = (uint32_t)plan->warmup + plan->repeat;
    session->runs_done = 0;
    session->row_count = 0;
    session->latency_count = 0;
    session->run_error = (hil_error_t){.status = HIL_OK};
    for (uint32_t slot = 0; slot < HIL_SERVER_CAPTURES; slot++) {
        session->captures[slot].found = false;
    }
    server->observation = (hil_observation_t){
        .digests = (plan->flags & HIL_RUN_DIGESTS) != 0,
        .alive_ns = now(server),
    };
    for (uint32_t run = 0; run < total && session->run_error.status == HIL_OK; run++) {
        uint64_t ns = 0;
        server->observation.run = (uint16_t)run;
        server->observation.recording = run + 1 == total;
        session->run_status = run_once(server, plan, &ns, &session->run_error);
        if (session->run_status == HIL_OK && run >= plan->warmup) {
            server->config.latencies[session->latency_count++] = in_ticks(ns);
            session->runs_done++;
        }
    }
    session->cycles = server->observation.cycles;
    session->temperature = temperature_now(server);
}

static void answer_run(hil_server_t *server)
{
    const hil_session_t *session = &server->session;
    if (session->run_status != HIL_OK) {
        hil_server_fail_with(server, &session->run_error);
        return;
    }
    hil_writer_t answer = hil_server_body(server);
    hil_put_u32(&answer, session->run_id);
    hil_put(&answer, session->sha256, HIL_SHA256_SIZE);
    hil_put_u16(&answer, session->runs_done);
    hil_put_u64(&answer, session->cycles);
    hil_put_u16(&answer, (uint16_t)session->temperature);
    hil_server_answer(server, &answer);
}

void hil_server_on_run(hil_server_t *server, hil_cursor_t *body)
{
    hil_session_t *session = &server->session;
    plan_t plan;
    uint32_t run_id = hil_take_u32(body);
    plan.warmup = hil_take_u16(body);
    plan.repeat = hil_take_u16(body);
    plan.cores = hil_take_u8(body);
    plan.flags = hil_take_u8(body);
    if (!hil_server_body_ok(server, body) || hil_server_engine(server) == NULL) {
        return;
    }
    if (session->ran && session->run_id == run_id) {
        answer_run(server); /* the answer was lost; the run was not */
        return;
    }
    if (plan.repeat == 0 || plan.cores == 0) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "run: repeat and cores start at 1");
        return;
    }
    if (plan.repeat > server->config.latency_capacity) {
        hil_server_fail(server, HIL_ERR_MEMORY, "run: no memory for so many latencies");
        return;
    }
    if ((plan.flags & ~(HIL_RUN_DIGESTS | HIL_RUN_KEEP_STATE)) != 0) {
        hil_server_fail(server, HIL_ERR_UNSUPPORTED, "run: unknown flags");
        return;
    }
    if ((plan.flags & HIL_RUN_KEEP_STATE) != 0 && (plan.warmup != 0 || plan.repeat != 1)) {
        hil_server_fail(server, HIL_ERR_ARGUMENT,
                        "run: a step of a stream has no warm-up and is not repeated");
        return;
    }
    if ((plan.flags & HIL_RUN_KEEP_STATE) != 0 && !session->state_known) {
        hil_server_fail(server, HIL_ERR_STATE, "run: the run before failed; start the stream anew");
        return;
    }
    if (!hil_server_inputs_complete(session)) {
        hil_server_fail(server, HIL_ERR_STATE, "run: inputs are missing");
        return;
    }
    session->ran = true;
    session->run_id = run_id;
    run_all(server, &plan);
    answer_run(server);
}

/* --- Reading ------------------------------------------------------------------------------ */

/* Whether the last run has this id and came to its end; answers ERROR where not. */
static bool check_run(hil_server_t *server, uint32_t run_id)
{
    const hil_session_t *session = &server->session;
    if (!session->ran || session->run_id != run_id || session->run_status != HIL_OK) {
        hil_server_fail(server, HIL_ERR_STATE, "run: not the last complete run");
        return false;
    }
    return true;
}

static void put_row(hil_writer_t *writer, const hil_row_t *row)
{
    hil_put_string(writer, row->node.data, row->node.size);
    hil_put_string(writer, row->op_type.data, row->op_type.size);
    hil_put_string(writer, row->value.data, row->value.size);
    hil_put_u8(writer, (uint8_t)row->dtype);
    hil_put_u16(writer, (uint16_t)row->exponent);
    hil_put_u8(writer, (uint8_t)row->rank);
    for (uint32_t i = 0; i < row->rank; i++) {
        hil_put_u32(writer, row->dims[i]);
    }
    hil_put_u64(writer, row->digest);
    hil_put_u32(writer, row->latency);
}

void hil_server_on_nodes(hil_server_t *server, hil_cursor_t *body)
{
    uint32_t run_id = hil_take_u32(body);
    uint32_t first = hil_take_u32(body);
    if (!hil_server_body_ok(server, body) || !check_run(server, run_id)) {
        return;
    }
    uint32_t total = server->session.row_count;
    if (first > total) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "nodes: first row");
        return;
    }
    hil_writer_t answer = hil_server_body(server);
    hil_put_u32(&answer, total);
    for (uint32_t i = first; i < total; i++) {
        hil_writer_t longer = answer;
        put_row(&longer, &server->config.rows[i]);
        if (!longer.ok) {
            answer.ok = i > first; /* a row that fits no frame would be asked for for ever */
            break;
        }
        answer = longer;
    }
    hil_server_answer(server, &answer);
}

void hil_server_on_latencies(hil_server_t *server, hil_cursor_t *body)
{
    uint32_t run_id = hil_take_u32(body);
    uint16_t first = hil_take_u16(body);
    if (!hil_server_body_ok(server, body) || !check_run(server, run_id)) {
        return;
    }
    uint16_t total = server->session.latency_count;
    if (first > total) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "latencies: first");
        return;
    }
    uint16_t most = (HIL_BODY_MAX - 2) / 4;
    uint16_t count = (uint16_t)(total - first);
    count = count < most ? count : most;
    hil_writer_t answer = hil_server_body(server);
    hil_put_u16(&answer, count);
    for (uint16_t i = 0; i < count; i++) {
        hil_put_u32(&answer, server->config.latencies[first + i]);
    }
    hil_server_answer(server, &answer);
}

void hil_server_on_read_output(hil_server_t *server, hil_cursor_t *body)
{
    uint32_t run_id = hil_take_u32(body);
    uint16_t index = hil_take_u16(body);
    uint32_t offset = hil_take_u32(body);
    uint16_t size = hil_take_u16(body);
    if (!hil_server_body_ok(server, body) || hil_server_engine(server) == NULL ||
        !check_run(server, run_id)) {
        return;
    }
    hil_engine_t *engine = server->session.with->engine;
    hil_tensor_info_t info;
    if (size > server->config.identity.chunk_size || index >= engine->output_count(engine) ||
        engine->output_info(engine, index, &info) != HIL_OK || offset > info.size_bytes ||
        size > info.size_bytes - offset) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "output: index, offset or size");
        return;
    }
    hil_writer_t answer = hil_server_body(server);
    uint8_t *room = hil_put_room(&answer, size);
    hil_status_t status = HIL_ERR_INTERNAL;
    if (room != NULL) {
        status = engine->read_output(engine, index, offset, room, size);
    }
    if (status != HIL_OK) {
        hil_server_fail(server, status, "output: reading");
        return;
    }
    hil_server_answer(server, &answer);
}

void hil_server_on_read_capture(hil_server_t *server, hil_cursor_t *body)
{
    uint32_t run_id = hil_take_u32(body);
    uint8_t slot = hil_take_u8(body);
    uint32_t offset = hil_take_u32(body);
    uint16_t size = hil_take_u16(body);
    if (!hil_server_body_ok(server, body) || !check_run(server, run_id)) {
        return;
    }
    if (slot >= HIL_SERVER_CAPTURES || !server->session.captures[slot].found) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "capture: no value of that name was computed");
        return;
    }
    const hil_capture_t *found = &server->session.captures[slot];
    if (size > server->config.identity.chunk_size || offset > found->size) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "capture: offset or size");
        return;
    }
    uint32_t left = found->size - offset;
    hil_writer_t answer = hil_server_body(server);
    hil_put_u32(&answer, found->size);
    hil_put(&answer, server->config.captures + found->at + offset, size < left ? size : left);
    hil_server_answer(server, &answer);
}
