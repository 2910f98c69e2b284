/* A whole board in memory for tests. */
#include <stdlib.h>
#include <string.h>

#include "hil_wire_bench.h"

/* --- Flash -------------------------------------------------------------------------------- */

static bool inside(const hil_bench_flash_t *flash, uint32_t offset, uint32_t size)
{
    return offset <= flash->size && size <= flash->size - offset;
}

static bool bench_read(void *user, uint32_t offset, void *data, uint32_t size)
{
    hil_bench_flash_t *flash = user;
    if (!inside(flash, offset, size)) {
        return false;
    }
    memcpy(data, flash->bytes + offset, size);
    return true;
}

/* How many of `size` bytes the power suffices for. */
static uint32_t spend(hil_bench_flash_t *flash, uint32_t size)
{
    uint32_t done = size < flash->power ? size : (uint32_t)flash->power;
    flash->power -= done;
    return done;
}

static uint8_t noise(hil_bench_flash_t *flash)
{
    flash->seed = flash->seed * 1664525u + 1013904223u;
    return (uint8_t)(flash->seed >> 24);
}

/* Up to where the write that was cut after `done` bytes may have left traces. */
static uint32_t torn_end(const hil_bench_flash_t *flash, uint32_t offset, uint32_t done,
                         uint32_t size)
{
    if (done == 0 || done == size || flash->seed % 2 == 0) {
        return done;
    }
    uint32_t page_end = (offset + done) / HIL_STORE_PAGE * HIL_STORE_PAGE + HIL_STORE_PAGE;
    return page_end - offset < size ? page_end - offset : size;
}

#define BLOCK 0x10000u

static void pass(const hil_bench_flash_t *flash, uint64_t ns)
{
    if (flash->clock_ns != NULL) {
        *flash->clock_ns += ns;
    }
}

static bool bench_write(void *user, uint32_t offset, const void *data, uint32_t size)
{
    hil_bench_flash_t *flash = user;
    const uint8_t *byte = data;
    if (!inside(flash, offset, size)) {
        return false;
    }
    pass(flash, ((size - 1) / HIL_STORE_PAGE + 1) * flash->page_ns);
    uint32_t done = spend(flash, size);
    for (uint32_t i = 0; i < done; i++) {
        flash->broke_nor = flash->broke_nor || (byte[i] & ~flash->bytes[offset + i]) != 0;
        flash->bytes[offset + i] &= byte[i];
    }
    for (uint32_t i = done; i < torn_end(flash, offset, done, size); i++) {
        flash->bytes[offset + i] &= (uint8_t)(byte[i] | noise(flash));
    }
    return done == size;
}

bool hil_bench_flash_put(hil_bench_flash_t *flash, uint32_t offset, const uint8_t *data,
                         uint32_t size)
{
    if (!inside(flash, offset, size)) {
        return false;
    }
    uint32_t done = spend(flash, size);
    memcpy(flash->bytes + offset, data, done);
    for (uint32_t i = done; i < torn_end(flash, offset, done, size); i++) {
        uint8_t mask = noise(flash);
        uint8_t *byte = flash->bytes + offset + i;
        *byte = (uint8_t)((*byte & ~mask) | (data[i] & mask));
    }
    return done == size;
}

static bool bench_erase(void *user, uint32_t offset, uint32_t size)
{
    hil_bench_flash_t *flash = user;
    if (!inside(flash, offset, size) || (offset | size) % HIL_STORE_SECTOR != 0) {
        return false;
    }
    for (uint32_t at = offset; at < offset + size;) { /* blocks where they fit, as ESP-IDF does */
        bool whole = at % BLOCK == 0 && offset + size - at >= BLOCK;
        pass(flash, whole ? flash->block_ns : flash->sector_ns);
        at += whole ? BLOCK : HIL_STORE_SECTOR;
    }
    uint32_t done = spend(flash, size);
    flash->torn_erase = done > 0 && done < size ? size : flash->torn_erase;
    for (uint32_t i = 0; i < size; i++) {
        /* All bits of a sector rise together: cut short, any of them may have. */
        uint8_t risen = done == size ? 0xFF : noise(flash);
        if (done > 0) {
            flash->bytes[offset + i] |= risen;
        }
    }
    return done == size;
}

static const uint8_t *bench_map(void *user, uint32_t offset, uint32_t size)
{
    hil_bench_flash_t *flash = user;
    return inside(flash, offset, size) ? flash->bytes + offset : NULL;
}

hil_flash_t hil_bench_flash_face(hil_bench_flash_t *flash)
{
    return (hil_flash_t){
        .user = flash,
        .size = flash->size,
        .read = bench_read,
        .write = bench_write,
        .erase = bench_erase,
        .map = bench_map,
    };
}

/* --- Sink --------------------------------------------------------------------------------- */

void hil_bench_sink_put(void *user, const uint8_t *data, size_t size)
{
    hil_bench_sink_t *sink = user;
    if (size > sink->capacity - sink->size) {
        size_t capacity = 2 * (sink->size + size);
        uint8_t *grown = realloc(sink->data, capacity);
        if (grown == NULL) {
            abort();
        }
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
}

/* --- Port --------------------------------------------------------------------------------- */

static void port_write(void *user, const uint8_t *data, size_t size)
{
    hil_bench_t *bench = user;
    bench->now_ns += 1000; /* a line takes its time, which must not count as the engine's */
    bench->write(bench->user, data, size);
}

static uint64_t port_now_ns(void *user)
{
    return ((hil_bench_t *)user)->now_ns;
}

static bool port_can_baud(void *user, uint32_t baud)
{
    (void)user;
    return baud >= 9600 && baud <= 3000000;
}

static void port_set_baud(void *user, uint32_t baud)
{
    ((hil_bench_t *)user)->baud = baud;
}

static void port_reboot(void *user)
{
    ((hil_bench_t *)user)->reboots++;
}

/* 240 cycles to the microsecond. */
static uint32_t port_cycles(void *user)
{
    return (uint32_t)(((hil_bench_t *)user)->now_ns * 240 / 1000);
}

static bool port_temperature(void *user, int16_t *tenths)
{
    (void)user;
    *tenths = -15;
    return true;
}

void hil_bench_begin(hil_bench_t *bench, void *user,
                     void (*write)(void *user, const uint8_t *data, size_t size))
{
    memset(bench, 0, sizeof(*bench));
    memset(bench->store_bytes, 0xFF, sizeof(bench->store_bytes));
    bench->user = user;
    bench->write = write;
    bench->baud = 115200;
    bench->flash = (hil_bench_flash_t){
        .bytes = bench->store_bytes, .size = HIL_BENCH_STORE, .power = UINT64_MAX};
    hil_flash_t flash = hil_bench_flash_face(&bench->flash);
    if (hil_store_mount(&bench->store, &flash) != HIL_OK) {
        abort(); /* blank flash always mounts */
    }
    hil_toy_init(&bench->engine, &bench->toy, &bench->now_ns, 50000000);
    bench->engines[0] = (hil_server_engine_t){.id = 0, .engine = &bench->engine};
    static const hil_fact_t FACTS[] = {{"cpu_mhz", "240"}, {"idf", "none"}};
    hil_server_config_t config = {
        .port =
            {
                .user = bench,
                .write = port_write,
                .now_ns = port_now_ns,
                .can_baud = port_can_baud,
                .set_baud = port_set_baud,
                .reboot = port_reboot,
                .cycles = port_cycles,
                .temperature = port_temperature,
            },
        .identity =
            {
                .target = "esp32s3",
                .chip_revision = "v0.2",
                .firmware_version = "test",
                .reset_reason = "poweron",
                .mac = {2, 0, 0, 0, 0, 1},
                .is_virtual = true,
                .window = 4,
                .chunk_size = 1024,
                .baud = 115200,
                .facts = FACTS,
                .fact_count = sizeof(FACTS) / sizeof(FACTS[0]),
            },
        .store = &bench->store,
        .inflate = &bench->inflate,
        .engines = bench->engines,
        .engine_count = 1,
        .kernels = HIL_KERNELS_S3,
        .arena = bench->arena,
        .arena_size = sizeof(bench->arena),
        .inputs = bench->inputs,
        .inputs_size = sizeof(bench->inputs),
        .captures = bench->captures,
        .captures_size = sizeof(bench->captures),
        .rows = bench->rows,
        .row_capacity = HIL_BENCH_ROWS,
        .latencies = bench->latencies,
        .latency_capacity = HIL_BENCH_LATENCIES,
    };
    hil_server_begin(&bench->server, &config);
}
