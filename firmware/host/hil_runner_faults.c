/* Faults on request, for tests of the bench. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hil_bytes.h"
#include "hil_runner_faults.h"
/* The reader of .espdl, to find a parameter's bytes. */
#include "../components/hil_ref_engine/hil_espdl.h"

const char HIL_FAULTS_HELP[] =
    "Faults:\n"
    "  flip-weight[:NAME[:BIT]]  after the hash of a model was verified, one bit of parameter\n"
    "                            NAME (the largest integer one) is flipped: bit BIT of its bytes\n"
    "                            (the second highest of the middle element); at every load\n"
    "  flip-output:N[:BIT]       one bit of what node N computed is flipped, before anybody reads\n"
    "                            it: bit BIT (0) of its first output, counted around; at every "
    "run\n"
    "  rounding[:MODE]           computes with half-up, half-even or down (the mode of the other\n"
    "                            chips); always\n"
    "  stale-model               LOAD keeps the model that is loaded, if any; always\n"
    "  truncate-upload           the last chunk of an upload is acknowledged and dropped; always\n"
    "  mute                      never answers\n"
    "  hang-at-node:N            never comes back from node N; at every run\n"
    "  reset-at-node:N           exits with 65 at node N, without a goodbye\n"
    "  panic-at-node:N           prints panic text at node N and exits with 66\n"
    "  log-noise[:EVERY]         a line of text before each frame, and one inside every EVERY-th\n"
    "                            (5)\n";

#define DEFAULT_FLIP_BIT UINT32_MAX
#define DEFAULT_NOISE_EVERY 5

/* --- The command line --------------------------------------------------------------------- */

static bool read_number(uint32_t *number, const char *text)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == 0 && value < UINT32_MAX;
}

/* NAME[:BIT]; a name may hold colons, so that the bit is what follows the last one. */
static bool read_flip(hil_faults_t *faults, const char *argument)
{
    faults->flip_weight = true;
    faults->flip_bit = DEFAULT_FLIP_BIT;
    if (argument == NULL) {
        return true;
    }
    const char *colon = strrchr(argument, ':');
    size_t size = colon != NULL ? (size_t)(colon - argument) : strlen(argument);
    if (size >= sizeof(faults->flip_parameter)) {
        return false;
    }
    memcpy(faults->flip_parameter, argument, size);
    faults->flip_parameter[size] = 0;
    return colon == NULL || read_number(&faults->flip_bit, colon + 1);
}

/* N[:BIT] */
static bool read_flip_output(hil_faults_t *faults, const char *argument)
{
    char node[16] = "";
    const char *colon = argument != NULL ? strchr(argument, ':') : NULL;
    size_t size = colon != NULL ? (size_t)(colon - argument) : sizeof(node);
    if (argument == NULL || (colon == NULL && strlen(argument) >= sizeof(node))) {
        return false;
    }
    if (colon != NULL && size >= sizeof(node)) {
        return false;
    }
    memcpy(node, argument, colon != NULL ? size : strlen(argument));
    faults->flip_output = true;
    return read_number(&faults->flip_output_node, node) &&
           (colon == NULL || read_number(&faults->flip_output_bit, colon + 1));
}

static bool read_rounding(hil_faults_t *faults, const char *argument)
{
    faults->wrong_rounding = true;
    if (argument == NULL) {
        faults->rounding = HIL_ROUND_TARGET;
    } else if (strcmp(argument, "half-up") == 0) {
        faults->rounding = HIL_ROUND_HALF_UP;
    } else if (strcmp(argument, "half-even") == 0) {
        faults->rounding = HIL_ROUND_HALF_EVEN;
    } else if (strcmp(argument, "down") == 0) {
        faults->rounding = HIL_ROUND_DOWN;
    } else {
        return false;
    }
    return true;
}

static bool read_at_node(bool *fault, uint32_t *node, const char *argument)
{
    *fault = true;
    return argument != NULL && read_number(node, argument);
}

static bool read_noise(hil_faults_t *faults, const char *argument)
{
    faults->noise_every = DEFAULT_NOISE_EVERY;
    return argument == NULL ||
           (read_number(&faults->noise_every, argument) && faults->noise_every > 0);
}

bool hil_faults_add(hil_faults_t *faults, const char *text)
{
    const char *colon = strchr(text, ':');
    const char *argument = colon != NULL ? colon + 1 : NULL;
    char kind[32] = "";
    size_t size = colon != NULL ? (size_t)(colon - text) : strlen(text);
    if (size >= sizeof(kind)) {
        return false;
    }
    memcpy(kind, text, size);

    if (strcmp(kind, "flip-weight") == 0) {
        return read_flip(faults, argument);
    }
    if (strcmp(kind, "flip-output") == 0) {
        return read_flip_output(faults, argument);
    }
    if (strcmp(kind, "rounding") == 0) {
        return read_rounding(faults, argument);
    }
    if (strcmp(kind, "hang-at-node") == 0) {
        return read_at_node(&faults->hang, &faults->hang_node, argument);
    }
    if (strcmp(kind, "reset-at-node") == 0) {
        return read_at_node(&faults->reset, &faults->reset_node, argument);
    }
    if (strcmp(kind, "panic-at-node") == 0) {
        return read_at_node(&faults->panic, &faults->panic_node, argument);
    }
    if (strcmp(kind, "log-noise") == 0) {
        return read_noise(faults, argument);
    }
    bool *plain = strcmp(kind, "stale-model") == 0       ? &faults->stale_model
                  : strcmp(kind, "truncate-upload") == 0 ? &faults->truncate_upload
                  : strcmp(kind, "mute") == 0            ? &faults->mute
                                                         : NULL;
    if (plain == NULL || argument != NULL) {
        return false;
    }
    *plain = true;
    return true;
}

/* --- Between the line and the server ------------------------------------------------------ */

void hil_faults_write(hil_faults_t *faults, const uint8_t *frame, size_t size)
{
    static const char BETWEEN[] = "W (4711) wifi:bcn_timeout,ap_probe_send_start\r\n";
    static const char INSIDE[] = "I (4712) heap_init: at 3FCE9710 len 00005724\r\n";
    size_t first = 0;
    if (faults->noise_every > 0) {
        hil_line_write(faults->line, (const uint8_t *)BETWEEN, sizeof(BETWEEN) - 1);
        faults->frames_written++;
        if (faults->frames_written % faults->noise_every == 0) {
            first = size / 2;
            hil_line_write(faults->line, frame, first);
            hil_line_write(faults->line, (const uint8_t *)INSIDE, sizeof(INSIDE) - 1);
        }
    }
    hil_line_write(faults->line, frame + first, size - first);
}

/* Whether the packet is the last chunk of the upload, and the next one due. */
static bool ends_upload(const hil_server_t *server, const hil_packet_t *packet)
{
    const hil_upload_t *upload = &server->upload;
    if (packet->type != HIL_MSG_MODEL_DATA || packet->body_size < 4 || !upload->active) {
        return false;
    }
    uint32_t offset = hil_get_le32(packet->body);
    return offset == upload->next && packet->body_size - 4 == upload->coded_size - offset;
}

static void acknowledge_and_drop(hil_faults_t *faults, const hil_server_t *server,
                                 const hil_packet_t *packet)
{
    static hil_frame_t frame;
    hil_put_le32(frame.bytes + HIL_FRAME_BODY_AT, server->upload.coded_size);
    size_t size = hil_frame_seal(&frame, packet->type | HIL_MSG_ANSWER, packet->seq, 4);
    hil_faults_write(faults, frame.bytes, size);
}

void hil_faults_handle(hil_faults_t *faults, hil_server_t *server, const hil_packet_t *packet)
{
    hil_packet_t changed = *packet;
    uint8_t body[HIL_SHA256_SIZE + 1];
    if (faults->mute) {
        return;
    }
    if (faults->truncate_upload && ends_upload(server, packet)) {
        acknowledge_and_drop(faults, server, packet);
        return;
    }
    if (faults->stale_model && packet->type == HIL_MSG_LOAD && packet->body_size == sizeof(body) &&
        server->session.with != NULL) {
        memcpy(body, server->session.sha256, HIL_SHA256_SIZE);
        body[HIL_SHA256_SIZE] = packet->body[HIL_SHA256_SIZE];
        changed.body = body;
    }
    hil_server_handle(server, &changed);
}

/* --- Between the server and the engine ---------------------------------------------------- */

/* The face is the first member, and shares the inner engine's state. */
static hil_faults_t *faults_of(hil_engine_t *outer)
{
    return (hil_faults_t *)(void *)outer;
}

static bool is_integer(hil_dtype_t dtype)
{
    return dtype == HIL_INT8 || dtype == HIL_INT16;
}

/* Flips the bit in the copy; false where there is no such parameter or bit. */
static bool flip(const hil_faults_t *faults, size_t model_size)
{
    hil_espdl_t espdl;
    hil_error_t error;
    if (hil_espdl_open(&espdl, faults->flipped, model_size, &error) != HIL_OK) {
        return false;
    }
    uint32_t best_at = 0;
    uint32_t best_size = 0;
    uint32_t best_width = 1;
    for (uint32_t i = 0; i < espdl.initializers.count; i++) {
        hil_espdl_tensor_t tensor;
        hil_espdl_tensor(&espdl, hil_vector_table(&espdl.reader, espdl.initializers, i), &tensor);
        uint32_t width = hil_dtype_size(tensor.dtype);
        uint32_t size = tensor.count * width;
        bool named = faults->flip_parameter[0] != 0;
        bool meant = named ? hil_name_is(tensor.name, faults->flip_parameter)
                           : is_integer(tensor.dtype) && size > best_size;
        if (meant) {
            best_at = espdl.payload_at + tensor.data_at;
            best_size = size;
            best_width = width;
        }
    }
    uint32_t bit = faults->flip_bit;
    if (bit == DEFAULT_FLIP_BIT && best_size > 0) {
        uint32_t middle = best_size / best_width / 2;
        bit = 8 * best_width * (middle + 1) - 2;
    }
    if (hil_espdl_check(&espdl, &error) != HIL_OK || bit / 8 >= best_size) {
        return false;
    }
    faults->flipped[best_at + bit / 8] ^= (uint8_t)(1u << bit % 8);
    return true;
}

static void drop_copy(hil_faults_t *faults)
{
    free(faults->flipped);
    faults->flipped = NULL;
}

static hil_status_t outer_load(hil_engine_t *outer, const hil_engine_config_t *config,
                               const uint8_t *model, size_t model_size, hil_error_t *error)
{
    hil_faults_t *faults = faults_of(outer);
    if (faults->flip_weight) {
        drop_copy(faults);
        faults->flipped = aligned_alloc(16, (model_size + 15) / 16 * 16);
        if (faults->flipped == NULL) {
            *error = (hil_error_t){.status = HIL_ERR_MEMORY, .what = "fault: flip-weight"};
            return error->status;
        }
        memcpy(faults->flipped, model, model_size);
        if (!flip(faults, model_size)) {
            drop_copy(faults);
            *error = (hil_error_t){.status = HIL_ERR_ARGUMENT,
                                   .what = "fault: flip-weight: no such parameter or bit"};
            return error->status;
        }
        model = faults->flipped;
    }
    return faults->inner->load(faults->inner, config, model, model_size, error);
}

static void outer_unload(hil_engine_t *outer)
{
    hil_faults_t *faults = faults_of(outer);
    faults->inner->unload(faults->inner);
    drop_copy(faults);
}

static void hang(hil_faults_t *faults)
{
    while (!faults->line->closed) { /* deaf, but not an orphan */
        size_t size;
        hil_line_wait(faults->line, -1);
        hil_line_peek(faults->line, &size);
        hil_line_drop(faults->line, size);
    }
    exit(EXIT_SUCCESS);
}

static void panic(hil_faults_t *faults)
{
    static const char XTENSA[] =
        "\r\nGuru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\r\n"
        "\r\nCore  0 register dump:\r\n"
        "PC      : 0x4200c1a6  PS      : 0x00060d30  A0      : 0x8200b9f2  A1      : 0x3fca1f40\r\n"
        "A2      : 0x00000000  A3      : 0x3c0a1180  A4      : 0x00000010  A5      : 0x3fca2204\r\n"
        "EXCCAUSE: 0x0000001c  EXCVADDR: 0x00000004  LBEG    : 0x40056f5c  LCOUNT  : 0x00000000\r\n"
        "\r\nBacktrace: 0x4200c1a3:0x3fca1f40 0x4200b9ef:0x3fca1f70 0x42008d31:0x3fca1fb0\r\n"
        "\r\nRebooting...\r\n";
    static const char RISCV[] =
        "\r\nGuru Meditation Error: Core  0 panic'ed (Load access fault). "
        "Exception was unhandled.\r\n"
        "\r\nCore  0 register dump:\r\n"
        "MEPC    : 0x4000c1a6  RA      : 0x4000b9f2  SP      : 0x4ff1a1f0  GP      : 0x4ff0b800\r\n"
        "MSTATUS : 0x00001880  MTVEC   : 0x4ff00003  MCAUSE  : 0x00000005  MTVAL   : 0x00000004\r\n"
        "\r\nStack memory:\r\n4ff1a1f0: 0x00000000 0x4ff1a240 0x00000010 0x4000b9f2\r\n"
        "\r\nRebooting...\r\n";
    const char *text = faults->riscv ? RISCV : XTENSA;
    hil_line_write(faults->line, (const uint8_t *)text, strlen(text));
    exit(HIL_EXIT_PANIC);
}

static void outer_node_begin(void *user, uint32_t node_index)
{
    hil_faults_t *faults = user;
    hil_runner_crumb_node(&faults->crumb, node_index);
    if (faults->reset && node_index == faults->reset_node) {
        exit(HIL_EXIT_RESET);
    }
    if (faults->panic && node_index == faults->panic_node) {
        panic(faults);
    }
    if (faults->hang && node_index == faults->hang_node) {
        hang(faults);
    }
    faults->observer->node_begin(faults->observer->user, node_index);
}

static void outer_node_end(void *user, uint32_t node_index)
{
    hil_faults_t *faults = user;
    faults->observer->node_end(faults->observer->user, node_index);
}

static void outer_node_output(void *user, const hil_node_output_t *output)
{
    hil_faults_t *faults = user;
    if (faults->flip_output && output->node_index == faults->flip_output_node &&
        output->output_index == 0 && output->value.size_bytes > 0) {
        /* The engine's own memory, so that every later node reads the wrong bit too. */
        uint8_t *data = (uint8_t *)(uintptr_t)output->data;
        uint32_t bit = (uint32_t)(faults->flip_output_bit % (8ull * output->value.size_bytes));
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    faults->observer->node_output(faults->observer->user, output);
}

static hil_status_t outer_run(hil_engine_t *outer, uint32_t cores, const hil_observer_t *observer,
                              hil_error_t *error)
{
    hil_faults_t *faults = faults_of(outer);
    hil_observer_t between = {
        .user = faults,
        .node_begin = outer_node_begin,
        .node_end = outer_node_end,
        .node_output = outer_node_output,
    };
    faults->observer = observer;
    hil_status_t status = faults->inner->run(faults->inner, cores, &between, error);
    hil_runner_crumb_idle(&faults->crumb);
    return status;
}

void hil_faults_begin(hil_faults_t *faults, hil_line_t *line, hil_kernels_t kernels,
                      hil_ref_state_t *state, hil_engine_t *inner)
{
    faults->line = line;
    faults->riscv = kernels == HIL_KERNELS_P4;
    faults->inner = inner;
    if (faults->wrong_rounding) {
        hil_rounding_t other = kernels == HIL_KERNELS_P4 ? HIL_ROUND_HALF_UP : HIL_ROUND_HALF_EVEN;
        hil_ref_engine_override_rounding(
            state, faults->rounding != HIL_ROUND_TARGET ? faults->rounding : other);
    }
    faults->face = *inner; /* whatever it does not change goes straight to the engine */
    faults->face.load = outer_load;
    faults->face.unload = outer_unload;
    faults->face.run = outer_run;
}
