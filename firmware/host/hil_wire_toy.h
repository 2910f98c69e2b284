/*
 * A toy engine for tests of the server: its model is a recipe of bytes, its nodes add one.
 *
 * Model: "TOY1", node count u8, inputs u8, bytes per tensor u16, flags u8 (1: has test inputs,
 * 2: reports outputs after node_end, 4: fails at its last node, 8: node 0 adds one more in each run
 * since the last reset). Every tensor is int8 [bytes]. Node k, "node<k>", computes value "v<k>" =
 * value k-1 plus one; node 0 adds up the inputs first.
 */
#ifndef HIL_WIRE_TOY_H
#define HIL_WIRE_TOY_H

#include "hil_engine.h"

#define HIL_TOY_INPUTS 4
#define HIL_TOY_BYTES 4096

typedef struct {
    uint64_t *clock_ns; /* moved on by `node_ns` with each node */
    uint64_t node_ns;
    bool loaded;
    bool ran;
    uint8_t nodes;
    uint8_t inputs;
    uint16_t bytes;
    uint8_t flags;
    uint32_t runs;
    uint32_t resets;
    uint8_t age; /* runs since the last reset */
    uint8_t input[HIL_TOY_INPUTS][HIL_TOY_BYTES];
    uint8_t value[HIL_TOY_BYTES];
    char names[256][16];
    char node_names[256][16];
} hil_toy_t;

void hil_toy_init(hil_engine_t *engine, hil_toy_t *toy, uint64_t *clock_ns, uint64_t node_ns);

#endif
