/*
 * The memory plan: where each activation lies in the arena.
 *
 * A value lives from the node that makes it to the last node that reads it; graph inputs and
 * outputs live through the whole run. Largest first, each value takes the lowest gap between the
 * already placed ones that are alive at the same time.
 */
#include "hil_graph.h"

#include <string.h>

/* Lifetimes by the value that owns the memory, which lives as long as all its aliases. */
static void find_lifetimes(hil_ref_state_t *state)
{
    for (uint32_t i = 0; i < state->value_count; i++) {
        hil_value_t *value = &state->values[i];
        value->first_node = value->kind == HIL_VALUE_ACTIVATION ? value->first_node - 1 : 0;
        if (value->kind == HIL_VALUE_INPUT) {
            value->last_node = state->node_count;
        }
    }
    for (uint32_t i = 0; i < state->output_count; i++) {
        state->values[state->outputs[i]].last_node = state->node_count;
    }
    for (uint32_t i = 0; i < state->value_count; i++) {
        const hil_value_t *value = &state->values[i];
        hil_value_t *owner = &state->values[value->storage];
        if (value->last_node > owner->last_node) {
            owner->last_node = value->last_node;
        }
    }
}

static bool needs_memory(const hil_value_t *value, uint32_t index)
{
    return (value->kind == HIL_VALUE_INPUT || value->kind == HIL_VALUE_ACTIVATION) &&
           value->storage == index;
}

/* Values that need memory, largest first. */
static uint32_t order_by_size(const hil_ref_state_t *state, uint32_t *order)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->value_count; i++) {
        if (!needs_memory(&state->values[i], i)) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && state->values[order[at - 1]].size_bytes < state->values[i].size_bytes;
             at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    return count;
}

static bool live_together(const hil_value_t *a, const hil_value_t *b)
{
    return a->first_node <= b->last_node && b->first_node <= a->last_node;
}

/* The lowest gap for `value` between the `count` placed ones, which are sorted by offset. */
static size_t lowest_gap(const hil_ref_state_t *state, const uint32_t *placed, uint32_t count,
                         const hil_value_t *value)
{
    size_t offset = 0;
    for (uint32_t i = 0; i < count; i++) {
        const hil_value_t *other = &state->values[placed[i]];
        if (!live_together(value, other)) {
            continue;
        }
        if (other->offset >= offset + hil_align(value->size_bytes)) {
            break;
        }
        size_t end = other->offset + hil_align(other->size_bytes);
        if (end > offset) {
            offset = end;
        }
    }
    return offset;
}

static size_t place_values(hil_ref_state_t *state, const uint32_t *order, uint32_t count,
                           uint32_t *placed)
{
    size_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        hil_value_t *value = &state->values[order[i]];
        value->offset = lowest_gap(state, placed, i, value);
        if (value->offset + hil_align(value->size_bytes) > end) {
            end = value->offset + hil_align(value->size_bytes);
        }
        uint32_t at = i;
        for (; at > 0 && state->values[placed[at - 1]].offset > value->offset; at--) {
            placed[at] = placed[at - 1];
        }
        placed[at] = order[i];
    }
    return end;
}

hil_status_t hil_plan_memory(hil_ref_state_t *state, hil_error_t *error)
{
    find_lifetimes(state);
    uint32_t *order = hil_arena_borrow(state, state->value_count * sizeof(uint32_t));
    uint32_t *placed = hil_arena_borrow(state, state->value_count * sizeof(uint32_t));
    if (order == NULL || placed == NULL) {
        return hil_error_set(error, HIL_ERR_MEMORY, "arena too small for the memory plan");
    }
    uint32_t count = order_by_size(state, order);
    size_t activations = place_values(state, order, count, placed);
    size_t borrowed = state->arena_size - state->temporary_start;
    size_t base = state->persistent_end + hil_align(state->scratch_size);
    state->high_water = state->persistent_end + borrowed;
    if (base < state->persistent_end || base > state->arena_size ||
        activations > state->arena_size - base) {
        return hil_error_set(error, HIL_ERR_MEMORY, "arena too small for the activations");
    }
    if (base + activations > state->high_water) {
        state->high_water = base + activations;
    }
    /* From here on nothing borrowed is needed: activations take that memory too. */
    state->temporary_start = state->arena_size;
    state->names = NULL;
    for (uint32_t i = 0; i < state->value_count; i++) {
        hil_value_t *value = &state->values[i];
        if (needs_memory(value, i)) {
            value->offset += base;
        }
    }
    for (uint32_t i = 0; i < state->value_count; i++) {
        hil_value_t *value = &state->values[i];
        if (value->kind == HIL_VALUE_INPUT || value->kind == HIL_VALUE_ACTIVATION) {
            value->offset = state->values[value->storage].offset;
            value->data = state->arena + value->offset;
        }
    }
    memset(state->arena + state->persistent_end, 0, base + activations - state->persistent_end);
    return HIL_OK;
}
