/*
 * The board's side of the wire protocol (docs/protocol.md): bytes in, frames out.
 *
 * The law of this file: it does no I/O and owns no memory. Whatever comes in over the line, the
 * answer is right or an ERROR; every request may be repeated. One thread calls it.
 *
 *     hil_server_begin(&server, &config);
 *     for (;;) {
 *         size = read_line(bytes);
 *         hil_server_receive(&server, bytes, size);
 *         hil_server_tick(&server);
 *     }
 */
#ifndef HIL_SERVER_H
#define HIL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hil_engine.h"
#include "hil_frame.h"
#include "hil_inflate.h"
#include "hil_message.h"
#include "hil_store.h"

#define HIL_SERVER_CAPTURES 16
#define HIL_SERVER_SPANS 8
#define HIL_SERVER_REGIONS 8

/* One kind of memory, in bytes. `name` is a constant. */
typedef struct {
    const char *name;
    uint32_t total_bytes;
    uint32_t free_bytes;
    uint32_t high_water_bytes;
} hil_region_t;

/* What the board can do for the server. Members that may be NULL say so. */
typedef struct {
    void *user;
    /* Puts a whole frame on the line; returns when all is taken. */
    void (*write)(void *user, const uint8_t *data, size_t size);
    /* Monotonic. */
    uint64_t (*now_ns)(void *user);
    /* NULL: the line has one rate. */
    bool (*can_baud)(void *user, uint32_t baud);
    void (*set_baud)(void *user, uint32_t baud);
    /* NULL: cannot. Called after the answer was written. */
    void (*reboot)(void *user);
    /* Memory that the server does not know of; fills up to `capacity`, returns the count. NULL. */
    uint32_t (*regions)(void *user, hil_region_t *regions, uint32_t capacity);
    /* The CPU's cycle counter, of the core that runs the engine; wraps. NULL: there is none. */
    uint32_t (*cycles)(void *user);
    /* Of the die, in tenths of a degree Celsius; false: not now. NULL: no sensor. */
    bool (*temperature)(void *user, int16_t *tenths);
} hil_port_t;

/* Something that holds for this boot and that latencies may depend on. Strings are constants. */
typedef struct {
    const char *name; /* "cpu_mhz" */
    const char *value;
} hil_fact_t;

/* Who this board is; strings are constants, UTF-8. */
typedef struct {
    const char *target; /* "esp32s3" */
    const char *chip_revision;
    const char *firmware_version;
    const char *reset_reason;
    uint8_t mac[6];
    uint8_t firmware_sha256[HIL_SHA256_SIZE];
    bool is_virtual;
    bool counts_instructions; /* `now_ns` counts instructions, one to the nanosecond */
    uint8_t window;           /* frames of HIL_FRAME_MAX that the line's receive buffer holds */
    uint16_t chunk_size;      /* at most HIL_CHUNK_MAX */
    uint32_t baud;            /* at start */
    const hil_fact_t *facts;
    uint8_t fact_count;
} hil_identity_t;

typedef struct {
    uint8_t id; /* 0 reference, 1 espdl */
    hil_engine_t *engine;
} hil_server_engine_t;

/* One output of one node of the last measured run. Names are slices of the model. */
typedef struct {
    hil_name_t node;
    hil_name_t op_type;
    hil_name_t value;
    hil_dtype_t dtype;
    int32_t exponent;
    uint32_t rank;
    uint32_t dims[HIL_MAX_RANK];
    uint64_t digest;
    uint32_t latency; /* ns / 100 */
} hil_row_t;

/* Everything the server works with. The memory is the caller's. */
typedef struct {
    hil_port_t port;
    hil_identity_t identity;
    hil_store_t *store; /* mounted */
    hil_inflate_t *inflate;
    const hil_server_engine_t *engines; /* the default one first */
    uint8_t engine_count;
    hil_kernels_t kernels;
    uint8_t *arena; /* 16-byte aligned, for the engine */
    size_t arena_size;
    uint8_t *inputs; /* all inputs of a model, each rounded up to 16 bytes */
    size_t inputs_size;
    uint8_t *captures; /* all captured values, each rounded up to 16 bytes */
    size_t captures_size;
    hil_row_t *rows; /* all node outputs of a model */
    uint32_t row_capacity;
    uint32_t *latencies; /* of the measured runs */
    uint16_t latency_capacity;
} hil_server_config_t;

/* The model on its way to the store. */
typedef struct {
    bool active;
    uint8_t sha256[HIL_SHA256_SIZE];
    uint32_t size;
    uint32_t coded_size;
    uint8_t coding;
    uint32_t next;       /* offset in the coded stream */
    hil_status_t status; /* sticky: the same bytes fail again */
    const char *what;
} hil_upload_t;

/* A value that the host wants whole. Its name is kept as size and hash, so that any name fits. */
typedef struct {
    bool wanted;
    uint32_t name_size;
    uint64_t name_hash;
    bool found;
    size_t at; /* in the capture memory */
    uint32_t size;
} hil_capture_t;

typedef struct {
    size_t begin;
    size_t end;
} hil_span_t;

/* The loaded model and the last run of it. */
typedef struct {
    const hil_server_engine_t *with; /* NULL: nothing loaded */
    uint8_t sha256[HIL_SHA256_SIZE];
    const uint8_t *model;
    bool has_state;   /* what the engine says of this model */
    bool state_known; /* the last run ended well, or the state is fresh */
    hil_capture_t captures[HIL_SERVER_CAPTURES];

    bool test_inputs;
    size_t inputs_total;
    hil_span_t spans[HIL_SERVER_SPANS]; /* of the inputs that have come, in order, apart */
    uint32_t span_count;

    bool ran;
    uint32_t run_id;
    uint16_t runs_done;
    hil_status_t run_status;
    hil_error_t run_error;
    uint32_t row_count;
    uint16_t latency_count;
    uint64_t cycles;     /* of the last measured run's nodes; 0 where nobody counts */
    int16_t temperature; /* after the run, in tenths; HIL_NO_TEMPERATURE */
} hil_session_t;

/* What the observer needs while the engine runs. */
typedef struct {
    bool recording; /* the last measured run */
    bool digests;
    uint16_t run; /* counted with the warm-up */
    uint64_t alive_ns;
    uint64_t observer_ns; /* spent here and not in the engine */
    uint64_t begin_ns;    /* of the node in hand */
    uint64_t begin_observer_ns;
    uint32_t begin_cycles;
    uint32_t observer_cycles; /* spent here since the node began */
    uint64_t cycles;          /* of the nodes of this run */
    uint32_t node_index;
    uint32_t node_row; /* its first row */
    bool node_has_row;
    uint32_t node_latency;
    size_t captured; /* bytes of the capture memory in use */
    hil_error_t error;
} hil_observation_t;

typedef struct {
    hil_server_config_t config;
    hil_frame_decoder_t decoder;
    hil_frame_t frame; /* the one answer being written */
    uint16_t seq;      /* of the request in hand */
    uint8_t type;
    hil_upload_t upload;
    hil_session_t session;
    hil_observation_t observation;
    uint32_t baud;
    uint32_t baud_before;
    bool baud_on_trial;
    uint64_t baud_deadline_ns;
} hil_server_t;

void hil_server_begin(hil_server_t *server, const hil_server_config_t *config);
/* Bytes from the line, cut anywhere. */
void hil_server_receive(hil_server_t *server, const uint8_t *data, size_t size);
/* One packet, for callers that decode frames themselves. */
void hil_server_handle(hil_server_t *server, const hil_packet_t *packet);
/* Call at least every 100 ms: gives up a line rate that nobody said hello at. */
void hil_server_tick(hil_server_t *server);
/* A LOG message; text beyond a frame is cut. Not from inside callbacks of the store. */
void hil_server_log(hil_server_t *server, hil_log_level_t level, const char *text, size_t size);

#endif
