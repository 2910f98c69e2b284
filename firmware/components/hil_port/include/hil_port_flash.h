/*
 * Where the model store lives: a flash partition, or memory where there is no usable partition.
 *
 * A mapping is through the MMU where pages are free, else a copy on the heap; the store cannot
 * tell the difference.
 */
#ifndef HIL_PORT_FLASH_H
#define HIL_PORT_FLASH_H

#include "esp_partition.h"
#include "hil_store.h"

#define HIL_MODEL_PARTITION "model"

typedef struct {
    const esp_partition_t *partition; /* NULL: the store is in `memory` */
    uint8_t *memory;
    uint32_t size;
    /* The one mapping that the server holds. */
    const uint8_t *mapped;
    uint8_t *copy; /* NULL: `handle` is the mapping */
    esp_partition_mmap_handle_t handle;
} hil_port_flash_t;

/* Finds the partition; false where the table has none. */
bool hil_port_flash_open(hil_port_flash_t *flash);
/* Takes `size` bytes of the heap instead, erased; false where there are not so many. */
bool hil_port_flash_in_memory(hil_port_flash_t *flash, uint32_t size);
hil_flash_t hil_port_flash_face(hil_port_flash_t *flash);

#endif
