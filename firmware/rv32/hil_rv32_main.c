/*
 * The virtual board's application on bare metal: server, store and reference engine on QEMU's
 * 32-bit RISC-V machine, as a board has them and with no operating system below.
 */
#include <string.h>

#include "hil_runner_core.h"
#include "hil_rv32_flash.h"
#include "hil_rv32_line.h"
#include "hil_rv32_system.h"
#include "hil_rv32_words.h"

extern uint8_t __memory_begin[];

typedef struct {
    hil_settings_t settings;
    hil_rv32_flash_t flash;
    hil_runner_core_t core;
} runner_t;

/* --- The port ----------------------------------------------------------------------------- */

static void port_write(void *user, const uint8_t *data, size_t size)
{
    (void)user;
    hil_rv32_line_write(data, size);
}

static uint64_t port_now_ns(void *user)
{
    (void)user;
    return hil_rv32_instructions();
}

static void port_reboot(void *user)
{
    (void)user;
    hil_rv32_exit(HIL_RV32_EXIT_REBOOT);
}

static uint32_t port_regions(void *user, hil_region_t *regions, uint32_t capacity)
{
    (void)user;
    if (capacity == 0) {
        return 0;
    }
    uint32_t size = hil_rv32_stack_size();
    uint32_t used = hil_rv32_stack_high_water();
    regions[0] = (hil_region_t){
        .name = "stack", .total_bytes = size, .free_bytes = size - used, .high_water_bytes = used};
    return 1;
}

/* --- Start and loop ----------------------------------------------------------------------- */

static void print(const char *text)
{
    hil_rv32_line_write((const uint8_t *)text, strlen(text));
}

static void print_banner(const hil_identity_t *identity)
{
    print("\r\nESP-ROM:");
    print(identity->target);
    print(" (virtual, rv32imafc)\r\nrst: ");
    print(identity->reset_reason);
    print(", boot: SPI_FAST_FLASH_BOOT\r\nI (230) app: espdl-hil runner ");
    print(identity->firmware_version);
    print("\r\n");
}

static void start(runner_t *runner)
{
    hil_settings_t *settings = &runner->settings;
    if (!hil_rv32_line_open()) {
        hil_rv32_die("no virtio-serial port", HIL_RV32_EXIT_PANIC);
    }
    if (!hil_rv32_read_settings(settings)) {
        hil_rv32_die("settings not understood", HIL_RV32_EXIT_USAGE);
    }
    if (!hil_rv32_flash_open(&runner->flash, settings->store_offset, settings->store_size)) {
        hil_rv32_die("the model partition is not in flash", HIL_RV32_EXIT_USAGE);
    }
    hil_flash_t flash = hil_rv32_flash_face(&runner->flash);
    if (!hil_runner_core_mount(&runner->core, &flash)) {
        hil_rv32_die("cannot mount the model store", HIL_RV32_EXIT_PANIC);
    }
    static const hil_fact_t FACTS[] = {{"cpu", "rv32imafc, emulated"}, {"cores", "1"}};
    settings->identity.counts_instructions = true;
    settings->identity.facts = FACTS;
    settings->identity.fact_count = sizeof(FACTS) / sizeof(FACTS[0]);
    const hil_port_t port = {
        .user = runner,
        .write = port_write,
        .now_ns = port_now_ns,
        .reboot = port_reboot,
        .regions = port_regions,
    };
    hil_runner_core_begin(&runner->core, settings, &port, &runner->core.engine, __memory_begin);
}

int main(void)
{
    static runner_t runner;
    static const char READY[] =
        "runner ready on an emulated rv32imafc; a nanosecond of latency is one instruction";
    start(&runner);
    print_banner(&runner.settings.identity);
    hil_server_log(&runner.core.server, HIL_LOG_INFO, READY, sizeof(READY) - 1);
    for (;;) {
        size_t size;
        const uint8_t *bytes = hil_rv32_line_wait(&size);
        hil_server_receive(&runner.core.server, bytes, size);
        hil_rv32_line_release();
        hil_server_tick(&runner.core.server);
    }
}
