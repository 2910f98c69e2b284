/*
 * What must hold before ESP-DL sees a file: it reads flatbuffers without checking a bound, and
 * tells of an unknown operator only in its log.
 */
#ifndef HIL_ESPDL_PREFLIGHT_H
#define HIL_ESPDL_PREFLIGHT_H

#include "hil_engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Walks the whole graph with bounds; refuses a broken file, a wrong target, an operator that the
 * pinned ESP-DL has not registered (named: the node), a tensor beyond the interface. */
HIL_CHECK_RESULT hil_status_t hil_espdl_preflight(const hil_engine_config_t *config,
                                                  const uint8_t *model, size_t model_size,
                                                  hil_error_t *error);

/* The file's own test input of that name, if it has one of `size_bytes`; else NULL. */
const uint8_t *hil_espdl_test_input(const uint8_t *model, size_t model_size, const char *name,
                                    uint32_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
