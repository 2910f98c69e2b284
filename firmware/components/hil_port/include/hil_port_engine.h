/*
 * An engine as a board runs it: in the inference task, with its arena on the heap while a model
 * is loaded, and leaving a crumb at each node.
 *
 * The arena is not kept in between, so that ESP-DL, which takes its memory from the heap itself,
 * finds all of it there while the reference engine is idle.
 */
#ifndef HIL_PORT_ENGINE_H
#define HIL_PORT_ENGINE_H

#include <stdatomic.h>

#include "hil_engine.h"
#include "hil_port_worker.h"

typedef struct {
    hil_engine_t face; /* what the server gets; the first member */
    hil_engine_t *inner;
    hil_worker_t *worker;
    bool wants_arena;
    uint8_t *arena;
    atomic_bool running;
    atomic_uint node; /* the one in hand while `running` */
    /* Called in the inference task before each node; may be NULL. */
    void (*before_node)(void *user, uint32_t node_index);
    void *user;
} hil_port_engine_t;

/* Wraps `inner`, which keeps its state. `wants_arena`: it lives in the arena, and not on the heap.
 */
void hil_port_engine_init(hil_port_engine_t *engine, hil_engine_t *inner, hil_worker_t *worker,
                          bool wants_arena);

#endif
