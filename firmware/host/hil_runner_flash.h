/* A file as a NOR flash partition: what is written can only clear bits until erased. */
#ifndef HIL_RUNNER_FLASH_H
#define HIL_RUNNER_FLASH_H

#include "hil_store.h"

typedef struct {
    uint8_t *file;
    size_t file_size;
    uint8_t *partition;
    uint32_t size;
} hil_file_flash_t;

/* Maps `size` bytes at `offset` of the file, shared; false with a message on stderr. */
bool hil_file_flash_open(hil_file_flash_t *flash, const char *path, uint32_t offset, uint32_t size);
/* The same over memory, for tests. */
void hil_file_flash_over(hil_file_flash_t *flash, uint8_t *memory, uint32_t size);
hil_flash_t hil_file_flash_face(hil_file_flash_t *flash);

#endif
