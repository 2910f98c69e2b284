/* Requests about the loaded model: load, its tensors, its inputs. */
#include <string.h>

#include "hil_server_internal.h"

/* --- Load --------------------------------------------------------------------------------- */

hil_engine_t *hil_server_engine(hil_server_t *server)
{
    if (server->session.with == NULL) {
        hil_server_fail(server, HIL_ERR_STATE, "model: none is loaded");
        return NULL;
    }
    return server->session.with->engine;
}

void hil_server_unload(hil_server_t *server)
{
    hil_session_t *session = &server->session;
    if (session->with != NULL) {
        session->with->engine->unload(session->with->engine);
        hil_store_unmap(server->config.store, session->model);
        hil_store_pin(server->config.store, NULL);
    }
    memset(session, 0, sizeof(*session));
}

void hil_put_tensor(hil_writer_t *writer, const hil_tensor_info_t *info)
{
    hil_put_string(writer, info->name.data, info->name.size);
    hil_put_u8(writer, (uint8_t)info->dtype);
    hil_put_u16(writer, (uint16_t)info->exponent);
    hil_put_u8(writer, (uint8_t)info->rank);
    for (uint32_t i = 0; i < info->rank; i++) {
        hil_put_u32(writer, info->dims[i]);
    }
    hil_put_u32(writer, info->size_bytes);
}

/* Checks the stored bytes against their name and gives them to the engine. */
static hil_status_t load_stored(hil_server_t *server, const hil_server_engine_t *with,
                                const hil_store_entry_t *entry, hil_error_t *error)
{
    hil_store_t *store = server->config.store;
    const uint8_t *model = hil_store_map(store, entry);
    if (model == NULL) {
        *error = (hil_error_t){.status = HIL_ERR_STORE, .what = "model: cannot map flash"};
        return error->status;
    }
    uint8_t digest[HIL_SHA256_SIZE];
    hil_sha256_t sha;
    hil_sha256_begin(&sha);
    hil_sha256_update(&sha, model, entry->size);
    hil_sha256_end(&sha, digest);
    if (memcmp(digest, entry->sha256, HIL_SHA256_SIZE) != 0) {
        uint8_t name[HIL_SHA256_SIZE]; /* apart: the entry goes away as it is unlisted */
        memcpy(name, entry->sha256, sizeof(name));
        hil_store_unmap(store, model);
        *error = (hil_error_t){.status = HIL_ERR_HASH, .what = "model: rotten in the store"};
        if (hil_store_erase(store, name) != HIL_OK) {
            error->what = "model: rotten in the store, which cannot forget it";
        }
        return error->status;
    }

    hil_engine_config_t config = {
        .kernels = server->config.kernels,
        .target = server->config.identity.target,
        .arena = server->config.arena,
        .arena_size = server->config.arena_size,
    };
    hil_status_t status = with->engine->load(with->engine, &config, model, entry->size, error);
    if (status != HIL_OK) {
        error->status = status;
        server->session.model =
            model; /* the error may name a node inside it: unmap after the answer */
        return status;
    }
    server->session.with = with;
    server->session.model = model;
    server->session.has_state = with->engine->has_state(with->engine);
    server->session.state_known = true;
    memcpy(server->session.sha256, entry->sha256, HIL_SHA256_SIZE);
    hil_store_pin(store, entry->sha256);
    return HIL_OK;
}

/* Adds up the inputs; false where they do not fit the memory for them. */
static bool plan_inputs(hil_server_t *server)
{
    hil_session_t *session = &server->session;
    hil_engine_t *engine = session->with->engine;
    uint32_t count = engine->input_count(engine);
    session->inputs_total = 0;
    for (uint32_t i = 0; i < count; i++) {
        hil_tensor_info_t info;
        if (engine->input_info(engine, i, &info) != HIL_OK ||
            info.size_bytes > server->config.inputs_size - session->inputs_total) {
            return false;
        }
        session->inputs_total += hil_align_up(info.size_bytes);
        if (session->inputs_total > server->config.inputs_size) {
            return false;
        }
    }
    return count <= UINT16_MAX;
}

void hil_server_on_load(hil_server_t *server, hil_cursor_t *body)
{
    hil_store_t *store = server->config.store;
    const uint8_t *sha256 = hil_take(body, HIL_SHA256_SIZE);
    uint8_t id = hil_take_u8(body);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    const hil_server_engine_t *with = NULL;
    for (uint8_t i = 0; i < server->config.engine_count; i++) {
        with = server->config.engines[i].id == id ? &server->config.engines[i] : with;
    }
    if (with == NULL) {
        hil_server_fail(server, HIL_ERR_UNSUPPORTED, "load: no such engine here");
        return;
    }
    hil_server_unload(server);
    const hil_store_entry_t *entry = hil_store_find(store, sha256);
    if (entry == NULL) {
        hil_server_fail(server, HIL_ERR_STATE, "load: the model is not in the store");
        return;
    }
    if (hil_store_touch(store, sha256) != HIL_OK) {
        hil_server_fail(server, HIL_ERR_STORE, "load: writing the store");
        return;
    }
    hil_error_t error = {.status = HIL_OK};
    hil_status_t status = load_stored(server, with, entry, &error);
    if (status != HIL_OK) {
        hil_server_fail_with(server, &error);
        if (server->session.model != NULL) {
            hil_store_unmap(store, server->session.model);
            server->session.model = NULL;
        }
        return;
    }
    if (!plan_inputs(server)) {
        hil_server_unload(server);
        hil_server_fail(server, HIL_ERR_MEMORY, "load: no memory for the inputs");
        return;
    }

    hil_engine_t *engine = with->engine;
    uint32_t count = engine->input_count(engine);
    hil_writer_t answer = hil_server_body(server);
    hil_put_u32(&answer, engine->node_count(engine));
    hil_put_u16(&answer, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        hil_tensor_info_t info;
        answer.ok = answer.ok && engine->input_info(engine, i, &info) == HIL_OK;
        if (answer.ok) {
            hil_put_tensor(&answer, &info);
        }
    }
    hil_server_answer(server, &answer);
}

void hil_server_on_outputs(hil_server_t *server, hil_cursor_t *body)
{
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    hil_engine_t *engine = hil_server_engine(server);
    if (engine == NULL) {
        return;
    }
    uint32_t count = engine->output_count(engine);
    hil_writer_t answer = hil_server_body(server);
    answer.ok = count <= UINT16_MAX;
    hil_put_u16(&answer, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        hil_tensor_info_t info;
        answer.ok = answer.ok && engine->output_info(engine, i, &info) == HIL_OK;
        if (answer.ok) {
            hil_put_tensor(&answer, &info);
        }
    }
    hil_server_answer(server, &answer);
}

void hil_server_reset_state(hil_server_t *server)
{
    hil_engine_t *engine = server->session.with->engine;
    if (server->session.has_state) {
        engine->reset(engine);
    }
    server->session.state_known = true;
}

void hil_server_on_reset_state(hil_server_t *server, hil_cursor_t *body)
{
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    hil_engine_t *engine = hil_server_engine(server);
    if (engine != NULL) {
        hil_server_reset_state(server);
        hil_server_answer_empty(server);
    }
}

/* --- Inputs ------------------------------------------------------------------------------- */

/* Adds a span to those that came; false where they have become too many stretches. */
static bool add_span(hil_session_t *session, hil_span_t added)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->span_count; i++) {
        hil_span_t span = session->spans[i];
        if (span.end < added.begin || added.end < span.begin) {
            session->spans[kept++] = span;
        } else { /* they touch */
            added.begin = span.begin < added.begin ? span.begin : added.begin;
            added.end = span.end > added.end ? span.end : added.end;
        }
    }
    session->span_count = kept;
    if (kept == HIL_SERVER_SPANS) {
        return false;
    }
    session->spans[session->span_count++] = added;
    return true;
}

bool hil_server_inputs_complete(const hil_session_t *session)
{
    return session->test_inputs || session->inputs_total == 0 ||
           (session->span_count == 1 && session->spans[0].begin == 0 &&
            session->spans[0].end == session->inputs_total);
}

void hil_server_on_input(hil_server_t *server, hil_cursor_t *body)
{
    hil_session_t *session = &server->session;
    size_t size;
    uint16_t index = hil_take_u16(body);
    uint32_t offset = hil_take_u32(body);
    const uint8_t *data = hil_take_rest(body, &size);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    hil_engine_t *engine = hil_server_engine(server);
    if (engine == NULL) {
        return;
    }
    size_t at = 0;
    hil_tensor_info_t info;
    if (index >= engine->input_count(engine)) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "input: index");
        return;
    }
    for (uint32_t i = 0; i <= index; i++) {
        if (engine->input_info(engine, i, &info) != HIL_OK) {
            hil_server_fail(server, HIL_ERR_INTERNAL, "input: no information");
            return;
        }
        at += i < index ? hil_align_up(info.size_bytes) : 0;
    }
    if (offset > info.size_bytes || size > info.size_bytes - offset) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "input: bytes beyond the tensor");
        return;
    }
    memcpy(server->config.inputs + at + offset, data, size);
    session->test_inputs = false;
    size_t end = offset + size;
    hil_span_t span = {
        .begin = at + offset,
        .end = at + (end == info.size_bytes ? hil_align_up(end) : end), /* the gap comes along */
    };
    if (!add_span(session, span)) {
        hil_server_fail(server, HIL_ERR_STATE, "input: too many gaps; send inputs in order");
        return;
    }
    hil_server_answer_empty(server);
}

void hil_server_on_test_inputs(hil_server_t *server, hil_cursor_t *body)
{
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    hil_engine_t *engine = hil_server_engine(server);
    if (engine == NULL) {
        return;
    }
    hil_status_t status = engine->use_test_inputs(engine);
    if (status != HIL_OK) {
        hil_server_fail(server, status, "input: the model brings no test input");
        return;
    }
    server->session.test_inputs = true;
    hil_server_answer_empty(server);
}

hil_status_t hil_server_set_inputs(hil_server_t *server)
{
    const hil_session_t *session = &server->session;
    hil_engine_t *engine = session->with->engine;
    if (session->test_inputs) {
        return engine->use_test_inputs(engine);
    }
    const uint8_t *from = server->config.inputs;
    uint32_t count = engine->input_count(engine);
    for (uint32_t i = 0; i < count; i++) {
        hil_tensor_info_t info;
        hil_status_t status = engine->input_info(engine, i, &info);
        if (status == HIL_OK) {
            status = engine->write_input(engine, i, 0, from, info.size_bytes);
        }
        if (status != HIL_OK) {
            return status;
        }
        from += hil_align_up(info.size_bytes);
    }
    return HIL_OK;
}
