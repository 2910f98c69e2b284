/* Requests about the model store: upload, commit, erase. */
#include <string.h>

#include "hil_server_internal.h"

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
