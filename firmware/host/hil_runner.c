/*
 * The virtual board's application: server, store and reference engine as a Linux program.
 *
 * The line is stdin and stdout, flash is a file, memory is one block cut up at start. What the
 * program decides here, a board's `main` decides by its chip; everything below is the same code.
 */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hil_runner_core.h"
#include "hil_runner_faults.h"
#include "hil_runner_flash.h"
#include "hil_runner_line.h"
#include "hil_runner_options.h"

#define LOWEST_BAUD 300u
#define HIGHEST_BAUD 5000000u
#define TICK_MS 100
/* 4 bytes that outlive the program. Not an option: older programs in flash would refuse it. */
#define CRUMB_VARIABLE "HIL_RUNNER_CRUMB"

typedef struct {
    hil_options_t options;
    hil_line_t line;
    hil_file_flash_t flash;
    hil_frame_decoder_t decoder;
    hil_runner_core_t core;
} runner_t;

/* --- The port ----------------------------------------------------------------------------- */

static void port_write(void *user, const uint8_t *data, size_t size)
{
    runner_t *runner = user;
    hil_faults_write(&runner->options.faults, data, size);
}

static uint64_t port_now_ns(void *user)
{
    struct timespec now;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool port_can_baud(void *user, uint32_t baud)
{
    (void)user;
    return baud >= LOWEST_BAUD && baud <= HIGHEST_BAUD;
}

/* A pipe has no rate; who owns the serial port in front of it sees the BAUD message pass. */
static void port_set_baud(void *user, uint32_t baud)
{
    (void)user;
    (void)baud;
}

static void port_reboot(void *user)
{
    (void)user;
    exit(HIL_EXIT_REBOOT);
}

/* --- Start and loop ----------------------------------------------------------------------- */

/* What a chip says before its application speaks frames. */
static void print_banner(runner_t *runner)
{
    const hil_identity_t *identity = &runner->options.settings.identity;
    char text[512];
    int size = snprintf(text, sizeof(text),
                        "\r\nESP-ROM:%s (virtual)\r\n"
                        "rst: %s, boot: SPI_FAST_FLASH_BOOT\r\n"
                        "I (24) boot: chip revision %s\r\n"
                        "I (230) app: espdl-hil runner %s\r\n",
                        identity->target, identity->reset_reason, identity->chip_revision,
                        identity->firmware_version);
    size_t length = size < 0 ? 0 : (size_t)size;
    hil_line_write(&runner->line, (const uint8_t *)text,
                   length < sizeof(text) ? length : sizeof(text) - 1);
}

static bool start(runner_t *runner)
{
    hil_options_t *options = &runner->options;
    const hil_settings_t *settings = &options->settings;
    static const hil_fact_t FACTS[] = {{"cpu", "of the host"}};
    options->settings.identity.facts = FACTS;
    options->settings.identity.fact_count = sizeof(FACTS) / sizeof(FACTS[0]);
    if (!hil_file_flash_open(&runner->flash, settings->flash_path, settings->store_offset,
                             settings->store_size)) {
        return false;
    }
    hil_flash_t flash = hil_file_flash_face(&runner->flash);
    if (!hil_runner_core_mount(&runner->core, &flash)) {
        fputs("hil_runner: cannot mount the model store\n", stderr);
        return false;
    }
    hil_runner_crumb_t *crumb = &options->faults.crumb;
    const char *crumb_path = getenv(CRUMB_VARIABLE);
    if (crumb_path != NULL && !hil_runner_crumb_open(crumb, crumb_path)) {
        perror("hil_runner: " CRUMB_VARIABLE);
        return false;
    }
    uint8_t *memory = aligned_alloc(16, (settings->psram_bytes + 15u) / 16 * 16);
    if (memory == NULL || !hil_line_open(&runner->line)) {
        perror("hil_runner");
        return false;
    }
    hil_faults_begin(&options->faults, &runner->line, settings->kernels, &runner->core.reference,
                     &runner->core.engine);
    hil_frame_decoder_begin(&runner->decoder);
    const hil_port_t port = {
        .user = runner,
        .write = port_write,
        .now_ns = port_now_ns,
        .can_baud = port_can_baud,
        .set_baud = port_set_baud,
        .reboot = port_reboot,
    };
    hil_runner_core_begin(&runner->core, settings, &port, &options->faults.face, memory);
    return true;
}

/* To a host that listens: how the last boot ended. */
static void tell_history(runner_t *runner, const hil_packet_t *packet)
{
    hil_options_t *options = &runner->options;
    char text[96];
    if (packet->type == HIL_MSG_HELLO && !options->faults.mute &&
        hil_runner_crumb_tell(&options->faults.crumb, options->settings.identity.reset_reason, text,
                              sizeof(text))) {
        hil_server_log(&runner->core.server, HIL_LOG_ERROR, text, strlen(text));
    }
}

static void handle_received(runner_t *runner)
{
    for (;;) {
        size_t size;
        const uint8_t *bytes = hil_line_peek(&runner->line, &size);
        if (size == 0) {
            return;
        }
        hil_packet_t packet;
        bool found;
        /* Dropped before the packet is handled: a write while handling may move the buffer. */
        hil_line_drop(&runner->line,
                      hil_frame_feed(&runner->decoder, bytes, size, &packet, &found));
        if (found) {
            hil_faults_handle(&runner->options.faults, &runner->core.server, &packet);
            tell_history(runner, &packet);
        }
    }
}

static void on_terminate(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_SUCCESS); /* flash is mapped shared: what was written stays */
}

static void set_signals(void)
{
    struct sigaction terminate = {.sa_handler = on_terminate};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &terminate, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

int main(int argc, char **argv)
{
    static runner_t runner;
    int exit_code;
    if (!hil_options_read(&runner.options, argc, argv, &exit_code)) {
        return exit_code;
    }
    set_signals();
    if (!start(&runner)) {
        return EXIT_FAILURE;
    }
    print_banner(&runner);
    static const char READY[] = "runner ready";
    if (!runner.options.faults.mute) {
        hil_server_log(&runner.core.server, HIL_LOG_INFO, READY, sizeof(READY) - 1);
    }
    while (!runner.line.closed) {
        hil_line_wait(&runner.line, runner.core.server.baud_on_trial ? TICK_MS : -1);
        handle_received(&runner);
        hil_server_tick(&runner.core.server);
    }
    return EXIT_SUCCESS;
}
