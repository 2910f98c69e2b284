/*
 * The chip's memory: large pieces come from PSRAM where the board has any, else from internal RAM.
 *
 * What a board has is asked at run time, so one application serves modules with and without PSRAM.
 */
#ifndef HIL_PORT_MEMORY_H
#define HIL_PORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hil_server.h"

/* Whether the board has PSRAM in its heap. */
bool hil_port_has_psram(void);
/* `size` bytes of the large memory, 16-byte aligned, uncleared; NULL: not so many. For good, or
 * until heap_caps_free. */
void *hil_port_take(size_t size);
/* The largest piece that could be taken now, less a reserve for the drivers. */
size_t hil_port_largest(void);
/* Internal RAM and PSRAM, as regions for MEMORY; returns how many were filled. */
uint32_t hil_port_heap_regions(hil_region_t *regions, uint32_t capacity);

#endif
