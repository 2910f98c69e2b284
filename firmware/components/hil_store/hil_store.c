/* The model store: finding room, writing, committing. */
#include <string.h>

#include "hil_directory.h"

static bool same_name(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, HIL_SHA256_SIZE) == 0;
}

hil_status_t hil_store_mount(hil_store_t *store, const hil_flash_t *flash)
{
    memset(store, 0, sizeof(*store));
    store->flash = *flash;
    store->sectors = flash->size / HIL_STORE_SECTOR;
    if (store->sectors <= HIL_STORE_DIRECTORY_SECTORS) {
        return HIL_ERR_MEMORY;
    }
    bool found = false;
    hil_status_t status = hil_directory_read(store, &found);
    return status == HIL_OK && !found ? hil_directory_renew(store) : status;
}

static uint32_t index_of(const hil_store_t *store, const uint8_t *sha256)
{
    uint32_t index = 0;
    while (index < store->count && !same_name(store->entries[index].sha256, sha256)) {
        index++;
    }
    return index;
}

const hil_store_entry_t *hil_store_find(const hil_store_t *store,
                                        const uint8_t sha256[HIL_SHA256_SIZE])
{
    uint32_t index = index_of(store, sha256);
    return index < store->count ? &store->entries[index] : NULL;
}

void hil_store_pin(hil_store_t *store, const uint8_t *sha256)
{
    store->pinned = sha256 != NULL;
    if (sha256 != NULL) {
        memcpy(store->pinned_sha256, sha256, HIL_SHA256_SIZE);
    }
}

static bool is_pinned(const hil_store_t *store, const hil_store_entry_t *entry)
{
    return store->pinned && same_name(store->pinned_sha256, entry->sha256);
}

static hil_status_t unlist(hil_store_t *store, uint32_t index)
{
    hil_store_entry_t gone = store->entries[index];
    store->entries[index] = store->entries[--store->count];
    return hil_directory_append(store, HIL_RECORD_GONE, &gone);
}

hil_status_t hil_store_erase(hil_store_t *store, const uint8_t sha256[HIL_SHA256_SIZE])
{
    uint32_t index = index_of(store, sha256);
    if (index == store->count) {
        return HIL_OK;
    }
    return is_pinned(store, &store->entries[index]) ? HIL_ERR_STATE : unlist(store, index);
}

hil_status_t hil_store_touch(hil_store_t *store, const uint8_t sha256[HIL_SHA256_SIZE])
{
    uint32_t index = index_of(store, sha256);
    if (index == store->count) {
        return HIL_ERR_STATE;
    }
    if (store->entries[index].last_use == store->clock) {
        return HIL_OK; /* already the last one: spare the flash */
    }
    store->entries[index].last_use = ++store->clock;
    return hil_directory_append(store, HIL_RECORD_USED, &store->entries[index]);
}

/* --- Room --------------------------------------------------------------------------------- */

static uint32_t end_of(const hil_store_entry_t *entry)
{
    return entry->first_sector + hil_store_sectors(entry->size);
}

static bool overlaps(const hil_store_entry_t *entry, uint32_t first, uint32_t sectors)
{
    return entry->first_sector < first + sectors && first < end_of(entry);
}

/*
 * What it costs to take `sectors` from `first` on: the latest use of any model that has to go;
 * 0 where none has, UINT32_MAX where it is impossible.
 */
static uint32_t cost_of(const hil_store_t *store, uint32_t first, uint32_t sectors)
{
    if (sectors > store->sectors - first) {
        return UINT32_MAX;
    }
    uint32_t cost = 0;
    for (uint32_t i = 0; i < store->count; i++) {
        const hil_store_entry_t *entry = &store->entries[i];
        if (!overlaps(entry, first, sectors)) {
            continue;
        }
        if (is_pinned(store, entry)) {
            return UINT32_MAX;
        }
        cost = entry->last_use > cost ? entry->last_use : cost;
    }
    return cost;
}

/* The cheapest place. One that starts where a model ends, or first of all, is among them. */
static uint32_t find_room(const hil_store_t *store, uint32_t sectors, uint32_t *cost)
{
    uint32_t best = HIL_STORE_DIRECTORY_SECTORS;
    *cost = cost_of(store, best, sectors);
    for (uint32_t i = 0; i < store->count; i++) {
        uint32_t first = end_of(&store->entries[i]);
        uint32_t own = cost_of(store, first, sectors);
        if (own < *cost) {
            *cost = own;
            best = first;
        }
    }
    return best;
}

/* The model used longest ago, the pinned one apart; `count` where there is none. */
static uint32_t least_used(const hil_store_t *store)
{
    uint32_t least = store->count;
    for (uint32_t i = 0; i < store->count; i++) {
        const hil_store_entry_t *entry = &store->entries[i];
        if (!is_pinned(store, entry) &&
            (least == store->count || entry->last_use < store->entries[least].last_use)) {
            least = i;
        }
    }
    return least;
}

static hil_status_t make_room(hil_store_t *store, uint32_t first, uint32_t sectors)
{
    uint32_t index = 0;
    while (index < store->count) {
        if (!overlaps(&store->entries[index], first, sectors)) {
            index++;
            continue;
        }
        hil_status_t status = unlist(store, index);
        if (status != HIL_OK) {
            return status;
        }
    }
    if (store->count == HIL_STORE_MODELS) {
        uint32_t least = least_used(store);
        return least < store->count ? unlist(store, least) : HIL_ERR_MEMORY;
    }
    return HIL_OK;
}

hil_status_t hil_store_begin(hil_store_t *store, const uint8_t sha256[HIL_SHA256_SIZE],
                             uint32_t size)
{
    hil_store_abort(store);
    if (size == 0) {
        return HIL_ERR_ARGUMENT;
    }
    if (hil_store_find(store, sha256) != NULL) {
        return HIL_ERR_STATE;
    }
    uint32_t cost;
    uint32_t first = find_room(store, hil_store_sectors(size), &cost);
    if (cost == UINT32_MAX) {
        return HIL_ERR_MEMORY;
    }
    hil_status_t status = make_room(store, first, hil_store_sectors(size));
    if (status != HIL_OK) {
        return status;
    }
    memcpy(store->draft.sha256, sha256, HIL_SHA256_SIZE);
    store->draft.first_sector = first;
    store->draft.size = size;
    store->written = 0;
    store->erased = 0;
    store->paged = 0;
    store->writing = true;
    return HIL_OK;
}

/* --- Writing ------------------------------------------------------------------------------ */

/* Leaves `size` bytes of whole sectors at `offset` erased; what is blank already is spared. */
static bool erase_sectors(hil_store_t *store, uint32_t offset, uint32_t size)
{
    uint8_t piece[HIL_STORE_PAGE / 4];
    for (uint32_t at = 0; at < size; at += sizeof(piece)) {
        if (!store->flash.read(store->flash.user, offset + at, piece, sizeof(piece))) {
            return false;
        }
        for (uint32_t i = 0; i < sizeof(piece); i++) {
            if (piece[i] != 0xFF) {
                return store->flash.erase(store->flash.user, offset, size);
            }
        }
    }
    return true;
}

/*
 * Erases what comes next of the draft, up to the end of an erase block: flash erases a block of
 * 64 KiB three to five times as fast as its sectors one by one, and a line of 921600 baud is faster
 * than those. Nobody but the draft is in these sectors.
 */
static bool erase_ahead(hil_store_t *store)
{
    uint32_t offset = store->draft.first_sector * HIL_STORE_SECTOR + store->erased;
    uint32_t block = HIL_STORE_ERASE_BLOCK - offset % HIL_STORE_ERASE_BLOCK;
    uint32_t left = hil_store_sectors(store->draft.size) * HIL_STORE_SECTOR - store->erased;
    uint32_t size = block < left ? block : left;
    if (!erase_sectors(store, offset, size)) {
        return false;
    }
    store->erased += size;
    return true;
}

static hil_status_t write_page(hil_store_t *store)
{
    uint32_t offset = store->draft.first_sector * HIL_STORE_SECTOR + store->written;
    if (store->written == store->erased && !erase_ahead(store)) {
        return HIL_ERR_STORE;
    }
    memset(store->page + store->paged, 0xFF, HIL_STORE_PAGE - store->paged);
    if (!store->flash.write(store->flash.user, offset, store->page, HIL_STORE_PAGE)) {
        return HIL_ERR_STORE;
    }
    store->written += store->paged;
    store->paged = 0;
    return HIL_OK;
}

hil_status_t hil_store_write(hil_store_t *store, const uint8_t *data, size_t size)
{
    if (!store->writing) {
        return HIL_ERR_STATE;
    }
    if (size > store->draft.size - store->written - store->paged) {
        return HIL_ERR_ARGUMENT;
    }
    while (size > 0) {
        uint32_t room = HIL_STORE_PAGE - store->paged;
        uint32_t run = size < room ? (uint32_t)size : room;
        memcpy(store->page + store->paged, data, run);
        store->paged += run;
        data += run;
        size -= run;
        if (store->paged == HIL_STORE_PAGE) {
            hil_status_t status = write_page(store);
            if (status != HIL_OK) {
                return status;
            }
        }
    }
    return HIL_OK;
}

static hil_status_t hash_draft(hil_store_t *store, uint8_t digest[HIL_SHA256_SIZE])
{
    hil_sha256_t sha;
    hil_sha256_begin(&sha);
    uint32_t offset = store->draft.first_sector * HIL_STORE_SECTOR;
    uint32_t left = store->draft.size;
    while (left > 0) { /* the page is empty by now */
        uint32_t run = left < HIL_STORE_PAGE ? left : HIL_STORE_PAGE;
        if (!store->flash.read(store->flash.user, offset, store->page, run)) {
            return HIL_ERR_STORE;
        }
        hil_sha256_update(&sha, store->page, run);
        offset += run;
        left -= run;
    }
    hil_sha256_end(&sha, digest);
    return HIL_OK;
}

hil_status_t hil_store_commit(hil_store_t *store)
{
    if (!store->writing) {
        return HIL_ERR_STATE;
    }
    store->writing = false;
    if (store->written + store->paged != store->draft.size) {
        return HIL_ERR_HASH; /* too few bytes cannot have the hash */
    }
    hil_status_t status = store->paged > 0 ? write_page(store) : HIL_OK;
    uint8_t digest[HIL_SHA256_SIZE];
    if (status == HIL_OK) {
        status = hash_draft(store, digest);
    }
    if (status != HIL_OK) {
        return status;
    }
    if (!same_name(digest, store->draft.sha256)) {
        return HIL_ERR_HASH;
    }
    store->draft.last_use = ++store->clock;
    store->entries[store->count++] = store->draft;
    status = hil_directory_append(store, HIL_RECORD_MODEL, &store->draft);
    if (status != HIL_OK) {
        store->count--;
    }
    return status;
}

void hil_store_abort(hil_store_t *store)
{
    store->writing = false;
}

/* --- Reading ------------------------------------------------------------------------------ */

const uint8_t *hil_store_map(hil_store_t *store, const hil_store_entry_t *entry)
{
    return store->flash.map(store->flash.user, entry->first_sector * HIL_STORE_SECTOR, entry->size);
}

void hil_store_unmap(hil_store_t *store, const uint8_t *model)
{
    if (store->flash.unmap != NULL) {
        store->flash.unmap(store->flash.user, model);
    }
}

uint32_t hil_store_capacity(const hil_store_t *store)
{
    return (store->sectors - HIL_STORE_DIRECTORY_SECTORS) * HIL_STORE_SECTOR;
}

uint32_t hil_store_free(const hil_store_t *store)
{
    uint32_t taken = HIL_STORE_DIRECTORY_SECTORS;
    for (uint32_t i = 0; i < store->count; i++) {
        taken += hil_store_sectors(store->entries[i].size);
    }
    return (store->sectors - taken) * HIL_STORE_SECTOR;
}
