/*
 * The model store over a flash that can lose power, for ctypes: through each of the adapters that
 * boards have, down to a model of the chip. Not in any product.
 */
#include <stdlib.h>
#include <string.h>

#include "hil_port_flash.h"
#include "hil_rv32_flash.h"
#include "hil_vault_chips.h"

#define EXPORT __attribute__((visibility("default")))

/* Through what the store sees the flash. */
typedef enum { PLAIN = 0, PFLASH = 1, PARTITION = 2 } adapter_t;

typedef struct {
    adapter_t adapter;
    hil_bench_flash_t flash;
    hil_rv32_flash_t pflash;
    hil_port_flash_t partition;
    hil_store_t store;
} vault_t;

EXPORT vault_t *vault_new(uint32_t sectors, int adapter)
{
    vault_t *vault = calloc(1, sizeof(*vault));
    uint32_t size = sectors * HIL_STORE_SECTOR;
    if (vault == NULL) {
        abort();
    }
    uint8_t *bytes = adapter == PFLASH ? hil_vault_window(size) : malloc(size);
    if (bytes == NULL) {
        abort();
    }
    memset(bytes, 0xFF, size);
    vault->adapter = (adapter_t)adapter;
    vault->flash = (hil_bench_flash_t){.bytes = bytes, .size = size, .power = UINT64_MAX};
    return vault;
}

EXPORT void vault_free(vault_t *vault)
{
    if (vault->adapter != PFLASH) {
        free(vault->flash.bytes);
    }
    free(vault);
}

/* The chips are one of each, as on a board: the vault that is used now has them. */
static hil_flash_t face_of(vault_t *vault)
{
    hil_vault_chip = &vault->flash;
    switch (vault->adapter) {
    case PFLASH:
        if (!hil_rv32_flash_open(&vault->pflash, 0, vault->flash.size)) {
            abort();
        }
        return hil_rv32_flash_face(&vault->pflash);
    case PARTITION:
        if (!hil_port_flash_open(&vault->partition)) {
            abort();
        }
        return hil_port_flash_face(&vault->partition);
    default:
        return hil_bench_flash_face(&vault->flash);
    }
}

EXPORT uint8_t *vault_bytes(vault_t *vault)
{
    return vault->flash.bytes;
}

/* Power for so many more bytes of writing and erasing; how torn bits fall. */
EXPORT void vault_power(vault_t *vault, uint64_t bytes, uint32_t seed)
{
    vault->flash.power = bytes;
    vault->flash.seed = seed;
}

EXPORT uint64_t vault_power_left(const vault_t *vault)
{
    return vault->flash.power;
}

EXPORT int vault_broke_nor(const vault_t *vault)
{
    return vault->flash.broke_nor;
}

EXPORT uint32_t vault_torn_erase(const vault_t *vault)
{
    return vault->flash.torn_erase;
}

EXPORT int vault_mount(vault_t *vault)
{
    hil_flash_t flash = face_of(vault);
    return (int)hil_store_mount(&vault->store, &flash);
}

EXPORT int vault_begin(vault_t *vault, const uint8_t *sha256, uint32_t size)
{
    return (int)hil_store_begin(&vault->store, sha256, size);
}

EXPORT int vault_write(vault_t *vault, const uint8_t *data, size_t size)
{
    return (int)hil_store_write(&vault->store, data, size);
}

EXPORT int vault_commit(vault_t *vault)
{
    return (int)hil_store_commit(&vault->store);
}

EXPORT int vault_touch(vault_t *vault, const uint8_t *sha256)
{
    return (int)hil_store_touch(&vault->store, sha256);
}

EXPORT int vault_erase(vault_t *vault, const uint8_t *sha256)
{
    return (int)hil_store_erase(&vault->store, sha256);
}

EXPORT void vault_pin(vault_t *vault, const uint8_t *sha256)
{
    hil_store_pin(&vault->store, sha256);
}

EXPORT uint32_t vault_count(const vault_t *vault)
{
    return vault->store.count;
}

/* The `index`-th listed model: its name, size, and where its bytes begin. */
EXPORT uint32_t vault_entry(const vault_t *vault, uint32_t index, uint8_t *sha256, uint32_t *at)
{
    const hil_store_entry_t *entry = &vault->store.entries[index];
    memcpy(sha256, entry->sha256, HIL_SHA256_SIZE);
    *at = entry->first_sector * HIL_STORE_SECTOR;
    return entry->size;
}

EXPORT uint32_t vault_free_bytes(const vault_t *vault)
{
    return hil_store_free(&vault->store);
}

EXPORT uint32_t vault_sector_count(const vault_t *vault)
{
    return vault->store.sectors;
}
