/*
 * The flash chips below the boards' adapters, over one model of NOR flash that can lose power:
 * QEMU's CFI chip, and ESP-IDF's partition calls.
 *
 * Included before everything else where the adapters are compiled for a host: it takes the place of
 * the RV32 board's register access.
 */
#ifndef HIL_VAULT_CHIPS_H
#define HIL_VAULT_CHIPS_H

#define HIL_RV32_IO_H /* hil_rv32_io.h is not for a host */

#include <stdint.h>

#include "hil_wire_bench.h"

/* What the chips are made of. */
extern hil_bench_flash_t *hil_vault_chip;

/* Memory where the CFI chip's window is; NULL: it is taken. The same for every caller. */
uint8_t *hil_vault_window(uint32_t size);

uint32_t hil_rv32_load32(uintptr_t address);
void hil_rv32_store32(uintptr_t address, uint32_t value);

#endif
