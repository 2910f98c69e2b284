/*
 * QEMU's CFI flash (Intel command set, unit 1 of `virt`), read in place through its window.
 *
 * Its blocks of 256 KiB are too coarse for the store's sectors, so a sector is erased by writing
 * FF: QEMU's model lets a write set bits. That writes only clear bits is therefore this file's
 * doing. Programming goes through the 2 KiB write buffer, which the model puts into the image file
 * as a whole: an interrupted one is either there or not.
 */
#include <string.h>

#include "hil_bytes.h"
#include "hil_rv32_flash.h"
#include "hil_rv32_io.h"

#define WINDOW 0x22000000u
#define CHIP_BYTES 0x02000000u
#define WORD 4u
#define BUFFER_BYTES 2048u

#define COMMAND_BUFFER 0xE8u
#define COMMAND_CONFIRM 0xD0u
#define COMMAND_READ_ARRAY 0xFFu
#define COMMAND_CLEAR_STATUS 0x50u
#define STATUS_READY 0x80u
#define STATUS_ERRORS 0x7Eu

static bool inside(const hil_rv32_flash_t *flash, uint32_t offset, uint32_t size)
{
    return offset <= flash->size && size <= flash->size - offset;
}

static const uint8_t *array(const hil_rv32_flash_t *flash, uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(WINDOW + flash->offset + offset);
}

/* Programs whole words inside one write buffer; `at` counts from the start of the chip. */
static bool program(uint32_t at, const uint8_t *data, uint32_t size)
{
    uintptr_t base = WINDOW + at;
    hil_rv32_store32(base, COMMAND_CLEAR_STATUS);
    hil_rv32_store32(base, COMMAND_BUFFER);
    hil_rv32_store32(base, size / WORD - 1);
    for (uint32_t i = 0; i < size; i += WORD) {
        hil_rv32_store32(base + i, hil_get_le32(data + i));
    }
    hil_rv32_store32(base, COMMAND_CONFIRM);
    uint32_t status;
    do {
        status = hil_rv32_load32(base);
    } while ((status & STATUS_READY) == 0);
    hil_rv32_store32(base, COMMAND_READ_ARRAY);
    return (status & STATUS_ERRORS) == 0;
}

static bool flash_read(void *user, uint32_t offset, void *data, uint32_t size)
{
    const hil_rv32_flash_t *flash = user;
    if (!inside(flash, offset, size)) {
        return false;
    }
    memcpy(data, array(flash, offset), size);
    return true;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool flash_write(void *user, uint32_t offset, const void *data, uint32_t size)
{
    const hil_rv32_flash_t *flash = user;
    const uint8_t *bytes = data;
    if (!inside(flash, offset, size)) {
        return false;
    }
    while (size > 0) {
        static uint8_t block[BUFFER_BYTES];
        uint32_t lead = offset % WORD;
        uint32_t piece = smaller(size, BUFFER_BYTES - offset % BUFFER_BYTES);
        uint32_t whole = (lead + piece + WORD - 1) / WORD * WORD;
        memcpy(block, array(flash, offset - lead), whole);
        for (uint32_t i = 0; i < piece; i++) {
            block[lead + i] &= bytes[i];
        }
        if (!program(flash->offset + offset - lead, block, whole)) {
            return false;
        }
        bytes += piece;
        offset += piece;
        size -= piece;
    }
    return true;
}

static bool flash_erase(void *user, uint32_t offset, uint32_t size)
{
    static uint8_t erased[BUFFER_BYTES];
    const hil_rv32_flash_t *flash = user;
    if (!inside(flash, offset, size) || (offset | size) % HIL_STORE_SECTOR != 0) {
        return false;
    }
    memset(erased, 0xFF, sizeof(erased));
    for (uint32_t done = 0; done < size; done += BUFFER_BYTES) {
        if (!program(flash->offset + offset + done, erased, BUFFER_BYTES)) {
            return false;
        }
    }
    return true;
}

static const uint8_t *flash_map(void *user, uint32_t offset, uint32_t size)
{
    const hil_rv32_flash_t *flash = user;
    return inside(flash, offset, size) ? array(flash, offset) : NULL;
}

bool hil_rv32_flash_open(hil_rv32_flash_t *flash, uint32_t offset, uint32_t size)
{
    *flash = (hil_rv32_flash_t){.offset = offset, .size = size};
    return offset % BUFFER_BYTES == 0 && offset <= CHIP_BYTES && size <= CHIP_BYTES - offset;
}

hil_flash_t hil_rv32_flash_face(hil_rv32_flash_t *flash)
{
    return (hil_flash_t){
        .user = flash,
        .size = flash->size,
        .read = flash_read,
        .write = flash_write,
        .erase = flash_erase,
        .map = flash_map,
    };
}
