/*
 * ESP-DL behind the engine interface.
 *
 * Two rules of hil_engine.h cannot hold here, since ESP-DL decides: it takes its memory from the
 * heap (in `load` only), and a file that is well-formed but absurd may still stop the chip in one
 * of its assertions. What can be told beforehand is refused by the preflight, with a name.
 *
 * Written for espressif/esp-dl 3.3.6 and later: per-node running needs Model::run(stages, ...).
 */
#ifndef HIL_ESPDL_ENGINE_H
#define HIL_ESPDL_ENGINE_H

#include "hil_engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where weights are read from while a model runs. */
typedef enum {
    HIL_ESPDL_COPY = 0,   /* parameters copied to RAM by ESP-DL, where they fit (its default) */
    HIL_ESPDL_IN_PLACE,   /* from the mapped flash: slow, saves RAM */
    HIL_ESPDL_WHOLE_FILE, /* the whole file copied to PSRAM first, and used there */
} hil_espdl_parameters_t;

typedef struct {
    hil_espdl_parameters_t parameters;
    uint32_t internal_bytes; /* of internal RAM that activations may take; 0: none */
} hil_espdl_options_t;

typedef struct {
    hil_espdl_options_t options;
    void *loaded; /* private; NULL: nothing is loaded */
} hil_espdl_state_t;

/* Fills the interface. `state` must outlive `engine`. */
void hil_espdl_engine_init(hil_engine_t *engine, hil_espdl_state_t *state,
                           const hil_espdl_options_t *options);

#ifdef __cplusplus
}
#endif

#endif
