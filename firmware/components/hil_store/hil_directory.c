/* The store's directory: a log of records in one of two sectors. */
#include <string.h>

#include "hil_bytes.h"
#include "hil_directory.h"

/* Bytes of a record. */
enum {
    AT_CRC = 0,
    AT_KIND = 4,
    AT_FIRST_SECTOR = 8,
    AT_SIZE = 12,
    AT_SHA256 = 16,
    AT_GENERATION = 8, /* of a header */
    AT_SECTORS = 12
};

uint32_t hil_store_sectors(uint32_t size)
{
    return size / HIL_STORE_SECTOR + (size % HIL_STORE_SECTOR != 0);
}

static uint32_t record_at(uint32_t sector, uint32_t index)
{
    return sector * HIL_STORE_SECTOR + index * HIL_RECORD_SIZE;
}

static bool is_blank(const uint8_t record[HIL_RECORD_SIZE])
{
    for (uint32_t i = 0; i < HIL_RECORD_SIZE; i++) {
        if (record[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

static bool is_valid(const uint8_t record[HIL_RECORD_SIZE])
{
    return hil_get_le32(record) == hil_crc32(0, record + AT_KIND, HIL_RECORD_SIZE - AT_KIND);
}

/* --- Reading ------------------------------------------------------------------------------ */

static bool read_header(hil_store_t *store, uint32_t sector, uint32_t *generation, bool *found)
{
    uint8_t record[HIL_RECORD_SIZE];
    *found = false;
    if (!store->flash.read(store->flash.user, record_at(sector, 0), record, sizeof(record))) {
        return false;
    }
    *found = is_valid(record) && hil_get_le32(record + AT_KIND) == HIL_RECORD_HEADER &&
             hil_get_le32(record + AT_SECTORS) == store->sectors;
    *generation = hil_get_le32(record + AT_GENERATION);
    return true;
}

static hil_store_entry_t *entry_named(hil_store_t *store, const uint8_t *sha256)
{
    for (uint32_t i = 0; i < store->count; i++) {
        if (memcmp(store->entries[i].sha256, sha256, HIL_SHA256_SIZE) == 0) {
            return &store->entries[i];
        }
    }
    return NULL;
}

/* Whether the entry lies inside the partition and apart from all others. */
static bool fits(const hil_store_t *store, const hil_store_entry_t *entry)
{
    uint32_t taken = hil_store_sectors(entry->size);
    if (entry->size == 0 || entry->first_sector < HIL_STORE_DIRECTORY_SECTORS ||
        entry->first_sector > store->sectors || taken > store->sectors - entry->first_sector) {
        return false;
    }
    for (uint32_t i = 0; i < store->count; i++) {
        const hil_store_entry_t *other = &store->entries[i];
        if (entry->first_sector < other->first_sector + hil_store_sectors(other->size) &&
            other->first_sector < entry->first_sector + taken) {
            return false;
        }
    }
    return true;
}

static void apply_record(hil_store_t *store, const uint8_t record[HIL_RECORD_SIZE])
{
    hil_store_entry_t *known = entry_named(store, record + AT_SHA256);
    switch (hil_get_le32(record + AT_KIND)) {
    case HIL_RECORD_MODEL: {
        hil_store_entry_t entry = {
            .first_sector = hil_get_le32(record + AT_FIRST_SECTOR),
            .size = hil_get_le32(record + AT_SIZE),
            .last_use = ++store->clock,
        };
        memcpy(entry.sha256, record + AT_SHA256, HIL_SHA256_SIZE);
        if (known == NULL && store->count < HIL_STORE_MODELS && fits(store, &entry)) {
            store->entries[store->count++] = entry;
        }
        break;
    }
    case HIL_RECORD_USED:
        if (known != NULL) {
            known->last_use = ++store->clock;
        }
        break;
    case HIL_RECORD_GONE:
        if (known != NULL) {
            *known = store->entries[--store->count];
        }
        break;
    default: /* of a later version: not ours to judge */
        break;
    }
}

hil_status_t hil_directory_read(hil_store_t *store, bool *found)
{
    uint32_t generation[HIL_STORE_DIRECTORY_SECTORS];
    bool valid[HIL_STORE_DIRECTORY_SECTORS];
    for (uint32_t sector = 0; sector < HIL_STORE_DIRECTORY_SECTORS; sector++) {
        if (!read_header(store, sector, &generation[sector], &valid[sector])) {
            return HIL_ERR_STORE;
        }
    }
    *found = valid[0] || valid[1];
    if (!*found) {
        return HIL_OK;
    }
    store->directory = (uint8_t)(valid[1] && (!valid[0] || generation[1] > generation[0]));
    store->generation = generation[store->directory];

    store->next_record = 1;
    for (uint32_t index = 1; index < HIL_RECORDS; index++) {
        uint8_t record[HIL_RECORD_SIZE];
        if (!store->flash.read(store->flash.user, record_at(store->directory, index), record,
                               sizeof(record))) {
            return HIL_ERR_STORE;
        }
        if (is_valid(record)) {
            apply_record(store, record);
        }
        if (!is_blank(record)) { /* whole or torn: used up */
            store->next_record = index + 1;
        }
    }
    return HIL_OK;
}

/* --- Writing ------------------------------------------------------------------------------ */

/* Completes the record with its CRC, writes it and reads it back. */
static hil_status_t write_record(hil_store_t *store, uint32_t offset,
                                 uint8_t record[HIL_RECORD_SIZE])
{
    uint8_t written[HIL_RECORD_SIZE];
    hil_put_le32(record + AT_CRC, hil_crc32(0, record + AT_KIND, HIL_RECORD_SIZE - AT_KIND));
    if (!store->flash.write(store->flash.user, offset, record, HIL_RECORD_SIZE) ||
        !store->flash.read(store->flash.user, offset, written, HIL_RECORD_SIZE) ||
        memcmp(record, written, HIL_RECORD_SIZE) != 0) {
        return HIL_ERR_STORE;
    }
    return HIL_OK;
}

static hil_status_t write_entry(hil_store_t *store, uint32_t offset, hil_record_kind_t kind,
                                const hil_store_entry_t *entry)
{
    uint8_t record[HIL_RECORD_SIZE] = {0};
    hil_put_le32(record + AT_KIND, kind);
    hil_put_le32(record + AT_FIRST_SECTOR, entry->first_sector);
    hil_put_le32(record + AT_SIZE, entry->size);
    memcpy(record + AT_SHA256, entry->sha256, HIL_SHA256_SIZE);
    return write_record(store, offset, record);
}

/* The entry used first after `after`; NULL where there is none. */
static const hil_store_entry_t *next_used(const hil_store_t *store, uint32_t after)
{
    const hil_store_entry_t *next = NULL;
    for (uint32_t i = 0; i < store->count; i++) {
        const hil_store_entry_t *entry = &store->entries[i];
        if (entry->last_use > after && (next == NULL || entry->last_use < next->last_use)) {
            next = entry;
        }
    }
    return next;
}

hil_status_t hil_directory_renew(hil_store_t *store)
{
    uint32_t sector = store->directory == 0 ? 1 : 0;
    if (!store->flash.erase(store->flash.user, record_at(sector, 0), HIL_STORE_SECTOR)) {
        return HIL_ERR_STORE;
    }
    uint32_t index = 1;
    const hil_store_entry_t *entry = next_used(store, 0);
    for (; entry != NULL; entry = next_used(store, entry->last_use)) {
        hil_status_t status = write_entry(store, record_at(sector, index), HIL_RECORD_MODEL, entry);
        if (status != HIL_OK) {
            return status;
        }
        index++;
    }

    uint8_t header[HIL_RECORD_SIZE] = {0};
    hil_put_le32(header + AT_KIND, HIL_RECORD_HEADER);
    hil_put_le32(header + AT_GENERATION, store->generation + 1);
    hil_put_le32(header + AT_SECTORS, store->sectors);
    hil_status_t status = write_record(store, record_at(sector, 0), header);
    if (status == HIL_OK) {
        store->directory = (uint8_t)sector;
        store->generation++;
        store->next_record = index;
    }
    return status;
}

hil_status_t hil_directory_append(hil_store_t *store, hil_record_kind_t kind,
                                  const hil_store_entry_t *entry)
{
    if (store->next_record == HIL_RECORDS) {
        return hil_directory_renew(store); /* the changed table says it all */
    }
    uint32_t offset = record_at(store->directory, store->next_record);
    store->next_record++;
    return write_entry(store, offset, kind, entry);
}
