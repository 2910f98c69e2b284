/* The model store's flash: esp_partition, or a piece of the heap with the rules of NOR flash. */
#include "hil_port_flash.h"

#include <string.h>

#include "esp_heap_caps.h"
#include "hil_port_memory.h"

static bool inside(const hil_port_flash_t *flash, uint32_t offset, uint32_t size)
{
    return offset <= flash->size && size <= flash->size - offset;
}

/* --- On a partition ----------------------------------------------------------------------- */

static bool partition_read(void *user, uint32_t offset, void *data, uint32_t size)
{
    const hil_port_flash_t *flash = user;
    return inside(flash, offset, size) &&
           esp_partition_read(flash->partition, offset, data, size) == ESP_OK;
}

static bool partition_write(void *user, uint32_t offset, const void *data, uint32_t size)
{
    const hil_port_flash_t *flash = user;
    return inside(flash, offset, size) &&
           esp_partition_write(flash->partition, offset, data, size) == ESP_OK;
}

static bool partition_erase(void *user, uint32_t offset, uint32_t size)
{
    const hil_port_flash_t *flash = user;
    return inside(flash, offset, size) &&
           esp_partition_erase_range(flash->partition, offset, size) == ESP_OK;
}

/* Reads into the heap what the MMU has no pages for (ESP32: 4 MB in all). */
static const uint8_t *copy_of(hil_port_flash_t *flash, uint32_t offset, uint32_t size)
{
    flash->copy = hil_port_take(size);
    if (flash->copy == NULL) {
        return NULL;
    }
    if (!partition_read(flash, offset, flash->copy, size)) {
        heap_caps_free(flash->copy);
        flash->copy = NULL;
    }
    return flash->copy;
}

static const uint8_t *partition_map(void *user, uint32_t offset, uint32_t size)
{
    hil_port_flash_t *flash = user;
    if (flash->mapped != NULL || !inside(flash, offset, size)) {
        return NULL; /* the server unmaps one model before it maps the next */
    }
    const void *mapped = NULL;
    if (esp_partition_mmap(flash->partition, offset, size, ESP_PARTITION_MMAP_DATA, &mapped,
                           &flash->handle) == ESP_OK) {
        flash->mapped = mapped;
    } else {
        flash->mapped = copy_of(flash, offset, size);
    }
    return flash->mapped;
}

static void partition_unmap(void *user, const uint8_t *data)
{
    hil_port_flash_t *flash = user;
    if (data == NULL || data != flash->mapped) {
        return;
    }
    if (flash->copy != NULL) {
        heap_caps_free(flash->copy);
        flash->copy = NULL;
    } else {
        esp_partition_munmap(flash->handle);
    }
    flash->mapped = NULL;
}

/* --- In memory ---------------------------------------------------------------------------- */

static bool memory_read(void *user, uint32_t offset, void *data, uint32_t size)
{
    const hil_port_flash_t *flash = user;
    if (!inside(flash, offset, size)) {
        return false;
    }
    memcpy(data, flash->memory + offset, size);
    return true;
}

static bool memory_write(void *user, uint32_t offset, const void *data, uint32_t size)
{
    hil_port_flash_t *flash = user;
    const uint8_t *bytes = data;
    if (!inside(flash, offset, size)) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        flash->memory[offset + i] &= bytes[i];
    }
    return true;
}

static bool memory_erase(void *user, uint32_t offset, uint32_t size)
{
    hil_port_flash_t *flash = user;
    if (!inside(flash, offset, size)) {
        return false;
    }
    memset(flash->memory + offset, 0xFF, size);
    return true;
}

static const uint8_t *memory_map(void *user, uint32_t offset, uint32_t size)
{
    const hil_port_flash_t *flash = user;
    return inside(flash, offset, size) ? flash->memory + offset : NULL;
}

/* --- Both --------------------------------------------------------------------------------- */

bool hil_port_flash_open(hil_port_flash_t *flash)
{
    *flash = (hil_port_flash_t){0};
    flash->partition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY,
                                                HIL_MODEL_PARTITION);
    if (flash->partition == NULL) {
        return false;
    }
    flash->size = flash->partition->size;
    return true;
}

bool hil_port_flash_in_memory(hil_port_flash_t *flash, uint32_t size)
{
    *flash = (hil_port_flash_t){.size = size / HIL_STORE_SECTOR * HIL_STORE_SECTOR};
    flash->memory = hil_port_take(flash->size);
    if (flash->memory == NULL) {
        return false;
    }
    memset(flash->memory, 0xFF, flash->size);
    return true;
}

hil_flash_t hil_port_flash_face(hil_port_flash_t *flash)
{
    if (flash->partition == NULL) {
        return (hil_flash_t){
            .user = flash,
            .size = flash->size,
            .read = memory_read,
            .write = memory_write,
            .erase = memory_erase,
            .map = memory_map,
        };
    }
    return (hil_flash_t){
        .user = flash,
        .size = flash->size,
        .read = partition_read,
        .write = partition_write,
        .erase = partition_erase,
        .map = partition_map,
        .unmap = partition_unmap,
    };
}
