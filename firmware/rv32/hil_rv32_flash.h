/* The model partition in QEMU's parallel flash, with the rules of SPI NOR flash. */
#ifndef HIL_RV32_FLASH_H
#define HIL_RV32_FLASH_H

#include "hil_store.h"

typedef struct {
    uint32_t offset; /* of the partition in flash */
    uint32_t size;
} hil_rv32_flash_t;

/* False: the partition is not inside the chip. */
bool hil_rv32_flash_open(hil_rv32_flash_t *flash, uint32_t offset, uint32_t size);
hil_flash_t hil_rv32_flash_face(hil_rv32_flash_t *flash);

#endif
