/*
 * The store's directory: a log of records in one of two sectors.
 *
 * A record is 64 bytes: CRC-32 of the rest, kind, and what the kind says. Records are only
 * appended; one that a power cut tore fails its CRC and counts for nothing. When a sector is full,
 * what is listed is written to the other one, its header record last: the sector with a valid
 * header of the higher generation is in force, so a cut in between leaves the old one.
 */
#ifndef HIL_DIRECTORY_H
#define HIL_DIRECTORY_H

#include "hil_store.h"

#define HIL_RECORD_SIZE 64u
#define HIL_RECORDS (HIL_STORE_SECTOR / HIL_RECORD_SIZE)

/* Record kinds, as they read in a dump of the flash. */
typedef enum {
    HIL_RECORD_HEADER = 0x524C4948, /* "HILR": generation, sectors */
    HIL_RECORD_MODEL = 0x4C444F4D,  /* "MODL": sha256, first sector, size */
    HIL_RECORD_USED = 0x44455355,   /* "USED": sha256 */
    HIL_RECORD_GONE = 0x454E4F47    /* "GONE": sha256 */
} hil_record_kind_t;

/* Sectors that `size` bytes take. */
uint32_t hil_store_sectors(uint32_t size);

/* Fills the store's table from flash; `*found` says whether a directory was there. */
HIL_CHECK_RESULT hil_status_t hil_directory_read(hil_store_t *store, bool *found);
/* Writes the table into the other sector and puts that in force. */
HIL_CHECK_RESULT hil_status_t hil_directory_renew(hil_store_t *store);
/* Appends a record about `entry`, after the table was changed; renews a full directory. */
HIL_CHECK_RESULT hil_status_t hil_directory_append(hil_store_t *store, hil_record_kind_t kind,
                                                   const hil_store_entry_t *entry);

#endif
