/*
 * The model store: whole models on a flash partition, named by their SHA-256.
 *
 * The law of this file: after a power cut at any byte of any write or erase, the next mount lists
 * exactly the models that were committed and not erased, each with all its bytes. The order that
 * gives this: a model is listed only after its bytes are in flash and hash to its name, and its
 * sectors are erased only after it is unlisted.
 *
 * Layout, in sectors of 4 KiB: two directory sectors, of which one is in force (hil_directory.h),
 * then the models, each in contiguous sectors from a sector's start, so that an engine can read
 * a model through one pointer. Where there is no room, the models used longest ago give way.
 */
#ifndef HIL_STORE_H
#define HIL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hil_hash.h"
#include "hil_status.h"

#define HIL_STORE_SECTOR 4096u
#define HIL_STORE_PAGE 256u
#define HIL_STORE_ERASE_BLOCK 0x10000u /* from the start of the partition, which is aligned too */
#define HIL_STORE_MODELS 16
#define HIL_STORE_DIRECTORY_SECTORS 2u

/*
 * A flash partition with NOR rules: erased bytes are FF, writing only clears bits.
 * Callbacks return false on failure. Offsets count from the start of the partition.
 */
typedef struct {
    void *user;
    uint32_t size;
    bool (*read)(void *user, uint32_t offset, void *data, uint32_t size);
    bool (*write)(void *user, uint32_t offset, const void *data, uint32_t size);
    bool (*erase)(void *user, uint32_t offset, uint32_t size); /* whole sectors */
    /* Makes flash readable through a pointer, 16-byte aligned; NULL on failure. */
    const uint8_t *(*map)(void *user, uint32_t offset, uint32_t size);
    void (*unmap)(void *user, const uint8_t *data);
} hil_flash_t;

typedef struct {
    uint8_t sha256[HIL_SHA256_SIZE];
    uint32_t first_sector;
    uint32_t size;     /* bytes of the model */
    uint32_t last_use; /* larger is later */
} hil_store_entry_t;

typedef struct {
    hil_flash_t flash;
    uint32_t sectors; /* of the partition */

    /* The directory. */
    uint8_t directory; /* the sector in force: 0 or 1 */
    uint32_t generation;
    uint32_t next_record;
    uint32_t clock; /* of last_use */

    hil_store_entry_t entries[HIL_STORE_MODELS];
    uint32_t count;
    bool pinned;
    uint8_t pinned_sha256[HIL_SHA256_SIZE];

    /* The model being written. */
    bool writing;
    hil_store_entry_t draft;
    uint32_t written; /* bytes in flash; the rest is in `page` */
    uint32_t erased;  /* bytes of its sectors that are erased, from the first on */
    uint32_t paged;
    uint8_t page[HIL_STORE_PAGE];
} hil_store_t;

/* Reads the directory, or begins an empty one where there is none. HIL_ERR_STORE, _MEMORY. */
HIL_CHECK_RESULT hil_status_t hil_store_mount(hil_store_t *store, const hil_flash_t *flash);

/* The model's entry, or NULL. Valid until the next begin, commit or erase. */
const hil_store_entry_t *hil_store_find(const hil_store_t *store,
                                        const uint8_t sha256[HIL_SHA256_SIZE]);

/*
 * Begins to write a model, dropping the one being written, and makes room for it.
 * HIL_ERR_MEMORY: it does not fit, or not without the pinned model; then nothing was dropped.
 */
HIL_CHECK_RESULT hil_status_t hil_store_begin(hil_store_t *store,
                                              const uint8_t sha256[HIL_SHA256_SIZE], uint32_t size);
/* Appends. HIL_ERR_ARGUMENT beyond the size, HIL_ERR_STORE. */
HIL_CHECK_RESULT hil_status_t hil_store_write(hil_store_t *store, const uint8_t *data, size_t size);
/* Hashes what flash holds and lists it. HIL_ERR_HASH: nothing is listed, the draft is dropped. */
HIL_CHECK_RESULT hil_status_t hil_store_commit(hil_store_t *store);
void hil_store_abort(hil_store_t *store);

/* Marks the model as the one used last. */
HIL_CHECK_RESULT hil_status_t hil_store_touch(hil_store_t *store,
                                              const uint8_t sha256[HIL_SHA256_SIZE]);
/* Unlists a model; HIL_OK where it is not there, HIL_ERR_STATE where it is pinned. */
HIL_CHECK_RESULT hil_status_t hil_store_erase(hil_store_t *store,
                                              const uint8_t sha256[HIL_SHA256_SIZE]);

/* A pinned model stays; NULL unpins. At most one. */
void hil_store_pin(hil_store_t *store, const uint8_t *sha256);

/* The model's bytes, readable until `hil_store_unmap`; NULL where flash cannot be mapped. */
const uint8_t *hil_store_map(hil_store_t *store, const hil_store_entry_t *entry);
void hil_store_unmap(hil_store_t *store, const uint8_t *model);

/* Bytes that models may take, and bytes of sectors that no model takes. */
uint32_t hil_store_capacity(const hil_store_t *store);
uint32_t hil_store_free(const hil_store_t *store);

#endif
