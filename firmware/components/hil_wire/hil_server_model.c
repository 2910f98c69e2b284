/* Requests about models: upload, store, load, inputs. */
#include <string.h>

#include "hil_server_internal.h"

/* --- Upload ------------------------------------------------------------------------------- */

static hil_status_t into_store(void *user, const uint8_t *data, size_t size)
{
    hil_server_t *server = user;
    return hil_store_write(server->config.store, data, size);
}

static void answer_begin(hil_server_t *server, hil_model_state_t state, uint32_t next)
{
    hil_writer_t answer = hil_server_body(server);
    hil_put_u8(&answer, (uint8_t)state);
    hil_put_u32(&answer, next);
    hil_server_answer(server, &answer);
}

static bool same_upload(const hil_upload_t *a, const hil_upload_t *b)
{
    return a->active && a->status == HIL_OK && a->size == b->size &&
           a->coded_size == b->coded_size && a->coding == b->coding &&
           memcmp(a->sha256, b->sha256, HIL_SHA256_SIZE) == 0;
}

static void stop_upload(hil_server_t *server)
{
    server->upload.active = false;
    hil_store_abort(server->config.store);
}

/* Makes room; the loaded model gives way only where all others do not suffice. */
static hil_status_t begin_in_store(hil_server_t *server, const hil_upload_t *upload)
{
    hil_status_t status = hil_store_begin(server->config.store, upload->sha256, upload->size);
    if (status == HIL_ERR_MEMORY && server->session.with != NULL) {
        hil_server_unload(server);
        status = hil_store_begin(server->config.store, upload->sha256, upload->size);
    }
    return status;
}

void hil_server_on_model_begin(hil_server_t *server, hil_cursor_t *body)
{
    hil_upload_t upload = {.active = true};
    const uint8_t *sha256 = hil_take(body, HIL_SHA256_SIZE);
    upload.size = hil_take_u32(body);
    upload.coded_size = hil_take_u32(body);
    upload.coding = hil_take_u8(body);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    memcpy(upload.sha256, sha256, HIL_SHA256_SIZE);

    const hil_store_entry_t *stored = hil_store_find(server->config.store, sha256);
    if (stored != NULL) {
        if (stored->size != upload.size) {
            hil_server_fail(server, HIL_ERR_ARGUMENT, "model: the stored one has another size");
            return;
        }
        answer_begin(server, HIL_MODEL_HAVE, 0);
        return;
    }
    if (same_upload(&server->upload, &upload)) {
        answer_begin(server, HIL_MODEL_SEND, server->upload.next);
        return;
    }
    if (upload.coding > HIL_CODING_ZLIB) {
        hil_server_fail(server, HIL_ERR_UNSUPPORTED, "model: unknown coding");
        return;
    }
    if (upload.size == 0 ||
        (upload.coding == HIL_CODING_PLAIN && upload.coded_size != upload.size)) {
        hil_server_fail(server, HIL_ERR_ARGUMENT, "model: size");
        return;
    }
    stop_upload(server);
    hil_status_t status = begin_in_store(server, &upload);
    if (status != HIL_OK) {
        hil_server_fail(server, status,
                        status == HIL_ERR_MEMORY ? "model: larger than the store"
                                                 : "model: making room in the store");
        return;
    }
    server->upload = upload;
    hil_inflate_begin(server->config.inflate, upload.size, into_store, server);
    answer_begin(server, HIL_MODEL_SEND, 0);
}

/* Decodes and stores the next bytes of the coded stream. */
static void take_chunk(hil_server_t *server, const uint8_t *data, size_t size)
{
    hil_upload_t *upload = &server->upload;
    if (upload->coding == HIL_CODING_PLAIN) {
        upload->status = hil_store_write(server->config.store, data, size);
    } else {
        upload->status = hil_inflate_feed(server->config.inflate, data, size);
    }
    if (upload->status == HIL_ERR_INFLATE) {
        upload->what = server->config.inflate->what;
    } else if (upload->status != HIL_OK) {
        upload->what = "model: writing the store";
    } else {
        upload->next += (uint32_t)size;
    }
}

void hil_server_on_model_data(hil_server_t *server, hil_cursor_t *body)
{
    hil_upload_t *upload = &server->upload;
    size_t size;
    uint32_t offset = hil_take_u32(body);
    const uint8_t *data = hil_take_rest(body, &size);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    if (!upload->active) {
        hil_server_fail(server, HIL_ERR_STATE, "model: no upload was begun");
        return;
    }
    if (upload->status == HIL_OK && offset == upload->next) {
        if (size > upload->coded_size - offset) {
            hil_server_fail(server, HIL_ERR_ARGUMENT, "model: bytes beyond the coded size");
            return;
        }
        take_chunk(server, data, size);
    }
    if (upload->status != HIL_OK) {
        hil_error_t error = {
            .status = upload->status, .what = upload->what, .offset = upload->next};
        hil_server_fail_with(server, &error);
        return;
    }
    hil_writer_t answer = hil_server_body(server);
    hil_put_u32(&answer, upload->next);
    hil_server_answer(server, &answer);
}

static hil_status_t commit_upload(hil_server_t *server, const char **what)
{
    hil_upload_t *upload = &server->upload;
    hil_status_t status = upload->status;
    *what = upload->what;
    if (status == HIL_OK && upload->next < upload->coded_size) {
        status = HIL_ERR_HASH;
        *what = "model: the upload ended early";
    } else if (status == HIL_OK && upload->coding == HIL_CODING_ZLIB &&
               !hil_inflate_done(server->config.inflate)) {
        status = HIL_ERR_INFLATE;
        *what = "zlib: the stream has no end";
    } else if (status == HIL_OK) {
        status = hil_store_commit(server->config.store);
        *what = status == HIL_ERR_HASH ? "model: stored bytes have another SHA-256"
                                       : "model: writing the store";
    }
    return status;
}

void hil_server_on_model_commit(hil_server_t *server, hil_cursor_t *body)
{
    hil_upload_t *upload = &server->upload;
    const uint8_t *sha256 = hil_take(body, HIL_SHA256_SIZE);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    if (hil_store_find(server->config.store, sha256) != NULL) {
        hil_server_answer_empty(server);
        return;
    }
    if (memcmp(upload->sha256, sha256, HIL_SHA256_SIZE) != 0 ||
        (!upload->active && upload->status == HIL_OK)) {
        hil_server_fail(server, HIL_ERR_STATE, "model: no upload of it was begun");
        return;
    }
    if (upload->active) {
        upload->status = commit_upload(server, &upload->what);
        stop_upload(server);
    }
    if (upload->status != HIL_OK) { /* also to a repeated request */
        hil_error_t error = {
            .status = upload->status, .what = upload->what, .offset = upload->next};
        hil_server_fail_with(server, &error);
        return;
    }
    hil_server_answer_empty(server);
}

void hil_server_on_model_erase(hil_server_t *server, hil_cursor_t *body)
{
    static const uint8_t ALL[HIL_SHA256_SIZE] = {0};
    hil_store_t *store = server->config.store;
    const uint8_t *named = hil_take(body, HIL_SHA256_SIZE);
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    bool all = memcmp(named, ALL, HIL_SHA256_SIZE) == 0;
    if (all || memcmp(named, server->session.sha256, HIL_SHA256_SIZE) == 0) {
        hil_server_unload(server);
    }
    if (all || memcmp(named, server->upload.sha256, HIL_SHA256_SIZE) == 0) {
        stop_upload(server); /* a later upload of it begins at its first byte */
    }
    hil_status_t status = HIL_OK;
    if (!all) {
        status = hil_store_erase(store, named);
    }
    while (all && status == HIL_OK && store->count > 0) {
        uint8_t sha256[HIL_SHA256_SIZE];
        memcpy(sha256, store->entries[0].sha256, sizeof(sha256));
        status = hil_store_erase(store, sha256);
    }
    if (status != HIL_OK) {
        hil_server_fail(server, status, "model: erasing");
        return;
    }
    hil_server_answer_empty(server);
}

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

void hil_server_on_reset_state(hil_server_t *server, hil_cursor_t *body)
{
    if (!hil_server_body_ok(server, body)) {
        return;
    }
    hil_engine_t *engine = hil_server_engine(server);
    if (engine != NULL) {
        engine->reset(engine);
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
