/* What the server's files share: answers, and the handlers by subject. */
#ifndef HIL_SERVER_INTERNAL_H
#define HIL_SERVER_INTERNAL_H

#include "hil_cursor.h"
#include "hil_server.h"

#define HIL_ALIGN 16u

static inline size_t hil_align_up(size_t size)
{
    return (size + (HIL_ALIGN - 1)) & ~(size_t)(HIL_ALIGN - 1);
}

/* A writer over the body of the answer. */
hil_writer_t hil_server_body(hil_server_t *server);
/* Sends the body as the answer to the request in hand; an ERROR if it did not fit a frame. */
void hil_server_answer(hil_server_t *server, const hil_writer_t *body);
void hil_server_answer_empty(hil_server_t *server);
/* Sends a message that nobody asked for. */
void hil_server_announce(hil_server_t *server, hil_message_t type, const hil_writer_t *body);
void hil_server_fail(hil_server_t *server, hil_status_t status, const char *what);
void hil_server_fail_with(hil_server_t *server, const hil_error_t *error);

void hil_put_tensor(hil_writer_t *writer, const hil_tensor_info_t *info);
void hil_put_regions(hil_server_t *server, hil_writer_t *writer);

/* Handlers: each reads the whole body, acts, and answers exactly once. */
void hil_server_on_model_begin(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_model_data(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_model_commit(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_model_erase(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_load(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_outputs(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_input(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_test_inputs(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_capture(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_reset_state(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_run(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_nodes(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_latencies(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_read_output(hil_server_t *server, hil_cursor_t *body);
void hil_server_on_read_capture(hil_server_t *server, hil_cursor_t *body);

/* The engine with a model, or NULL after an ERROR was answered. */
hil_engine_t *hil_server_engine(hil_server_t *server);
/* Puts the loaded model into its fresh state; costs nothing where it has none. */
void hil_server_reset_state(hil_server_t *server);
/* Forgets the loaded model. */
void hil_server_unload(hil_server_t *server);
/* Whether every input byte is there. */
bool hil_server_inputs_complete(const hil_session_t *session);
/* Gives the engine the inputs for one run. */
HIL_CHECK_RESULT hil_status_t hil_server_set_inputs(hil_server_t *server);
/* Whether the body had the right size; answers ERROR where not. */
bool hil_server_body_ok(hil_server_t *server, const hil_cursor_t *body);

#endif
