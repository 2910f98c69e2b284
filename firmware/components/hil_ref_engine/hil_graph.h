/* Loading a model into the arena: values, nodes, memory plan. Private to the engine. */
#ifndef HIL_GRAPH_H
#define HIL_GRAPH_H

#include "hil_op.h"

#define HIL_ARENA_ALIGNMENT 16u

static inline size_t hil_align(size_t size)
{
    return (size + (HIL_ARENA_ALIGNMENT - 1)) & ~(size_t)(HIL_ARENA_ALIGNMENT - 1);
}

/* Zeroed memory from the bottom of the arena, kept with the model; NULL: full. */
void *hil_arena_keep(hil_ref_state_t *state, size_t size);
/* Zeroed memory from the top, until the plan is made; NULL: full. */
void *hil_arena_borrow(hil_ref_state_t *state, size_t size);

/* Index of the value called `name`, or HIL_NO_VALUE. While loading only. */
uint32_t hil_graph_find(const hil_ref_state_t *state, hil_name_t name);

/* Reads values and nodes, prepares every operator. */
HIL_CHECK_RESULT hil_status_t hil_graph_load(hil_ref_state_t *state, hil_espdl_t *espdl,
                                             hil_error_t *error);
/* Gives every value its place; memory is shared between values that never live together. */
HIL_CHECK_RESULT hil_status_t hil_plan_memory(hil_ref_state_t *state, hil_error_t *error);

/* A context for one node. */
hil_op_context_t hil_graph_context(hil_ref_state_t *state, hil_espdl_t *espdl, uint32_t node_index,
                                   hil_error_t *error);

hil_status_t hil_error_set(hil_error_t *error, hil_status_t status, const char *what);

#endif
