/*
 * A whole board in memory for tests: server, store over a flash that can lose power, toy engine.
 *
 * Time stands still but for the toy's nodes, 1 us for each frame written, and who moves it. Shared
 * by the ctypes library and the fuzz target.
 */
#ifndef HIL_WIRE_BENCH_H
#define HIL_WIRE_BENCH_H

#include "hil_server.h"
#include "hil_wire_toy.h"

/*
 * NOR flash in memory with a power supply. `power` counts the bytes that may still be written or
 * erased; the operation in which it runs out stops there, and all later ones fail. A torn erase
 * leaves a mixture of old and erased bits, by `seed`; a torn write stops between two bytes, or
 * where `seed` is odd leaves some of the rest of its page written, any bits of it. Where `clock_ns`
 * is set, operations move it on.
 */
typedef struct {
    uint8_t *bytes;
    uint32_t size;
    uint64_t power;
    uint32_t seed;
    bool broke_nor;      /* somebody wrote over bits that were not erased, and lost them */
    uint32_t torn_erase; /* bytes of the erase that ran out of power last; 0: none did */
    uint64_t *clock_ns;
    uint64_t page_ns;   /* to write a page of 256 bytes */
    uint64_t sector_ns; /* to erase 4 KiB */
    uint64_t block_ns;  /* to erase an aligned 64 KiB */
} hil_bench_flash_t;

hil_flash_t hil_bench_flash_face(hil_bench_flash_t *flash);
/* Sets bytes, bits both ways, as QEMU's chip does; false: power ran out, and it is torn. */
bool hil_bench_flash_put(hil_bench_flash_t *flash, uint32_t offset, const uint8_t *data,
                         uint32_t size);

/* Bytes that were put out, in the order of their coming. */
typedef struct {
    uint8_t *data; /* whoever has the sink frees them */
    size_t size;
    size_t capacity;
} hil_bench_sink_t;

/* `user` is the sink. */
void hil_bench_sink_put(void *user, const uint8_t *data, size_t size);

#define HIL_BENCH_STORE (24u * HIL_STORE_SECTOR)
#define HIL_BENCH_ROWS 12
#define HIL_BENCH_LATENCIES 8
#define HIL_BENCH_MEMORY 8192
#define HIL_BENCH_ARENA 4096

typedef struct {
    uint8_t store_bytes[HIL_BENCH_STORE];
    _Alignas(16) uint8_t arena[HIL_BENCH_ARENA];
    _Alignas(16) uint8_t inputs[HIL_BENCH_MEMORY];
    _Alignas(16) uint8_t captures[HIL_BENCH_MEMORY];
    hil_row_t rows[HIL_BENCH_ROWS];
    uint32_t latencies[HIL_BENCH_LATENCIES];
    hil_bench_flash_t flash;
    hil_store_t store;
    hil_inflate_t inflate;
    hil_engine_t engine;
    hil_toy_t toy;
    hil_server_engine_t engines[1];
    uint64_t now_ns;
    uint32_t baud;
    uint32_t reboots;
    void *user;
    void (*write)(void *user, const uint8_t *data, size_t size);
    hil_server_t server;
} hil_bench_t;

/* Starts with erased flash. Frames go to `write`. */
void hil_bench_begin(hil_bench_t *bench, void *user,
                     void (*write)(void *user, const uint8_t *data, size_t size));

#endif
