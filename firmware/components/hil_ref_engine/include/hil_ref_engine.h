/*
 * The reference engine: portable C11 that computes ESP-DL's integers for any kernel family.
 *
 * The caller owns `hil_ref_state_t` and the arena; the engine allocates nothing else, never
 * recurses, and keeps a bounded stack. Members of the state are private.
 */
#ifndef HIL_REF_ENGINE_H
#define HIL_REF_ENGINE_H

#include "hil_engine.h"

typedef enum {
    HIL_ROUND_TARGET = 0,    /* the kernel family's own */
    HIL_ROUND_HALF_UP = 1,   /* ties toward plus infinity */
    HIL_ROUND_HALF_EVEN = 2, /* ties to the even neighbour */
    HIL_ROUND_DOWN = 3       /* no rounding at all: floor */
} hil_rounding_t;

struct hil_value;
struct hil_node;

typedef struct {
    const char *target;
    hil_kernels_t kernels;
    hil_rounding_t rounding_override;
    bool loaded;
    bool has_run;
    /* model file */
    const uint8_t *payload;
    uint32_t payload_size;
    uint32_t payload_at;
    uint32_t test_inputs_at;
    uint32_t test_input_count;
    /* arena: [0, persistent_end) lives as long as the model; above it the planned activations */
    uint8_t *arena;
    size_t arena_size;
    size_t persistent_end;
    size_t temporary_start; /* while loading: [temporary_start, arena_size) is in use */
    size_t high_water;
    size_t scratch_size;
    /* graph, inside the arena */
    struct hil_value *values;
    uint32_t value_count;
    struct hil_node *nodes;
    uint32_t node_count;
    uint32_t *links; /* value indices of node inputs and outputs */
    uint32_t link_count;
    uint32_t *names; /* while loading: hash table of value indices */
    uint32_t names_mask;
    uint32_t *inputs;
    uint32_t input_count;
    uint32_t *outputs;
    uint32_t output_count;
} hil_ref_state_t;

/* Fills the interface. `state` must outlive `engine`. */
void hil_ref_engine_init(hil_engine_t *engine, hil_ref_state_t *state);

/* Seeded fault for tests of the bench: compute with a wrong rounding. Call before `load`. */
void hil_ref_engine_override_rounding(hil_ref_state_t *state, hil_rounding_t mode);

#endif
