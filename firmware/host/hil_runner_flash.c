/* A file as a NOR flash partition. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hil_runner_flash.h"

static bool inside(const hil_file_flash_t *flash, uint32_t offset, uint32_t size)
{
    return offset <= flash->size && size <= flash->size - offset;
}

static bool flash_read(void *user, uint32_t offset, void *data, uint32_t size)
{
    hil_file_flash_t *flash = user;
    if (!inside(flash, offset, size)) {
        return false;
    }
    memcpy(data, flash->partition + offset, size);
    return true;
}

static bool flash_write(void *user, uint32_t offset, const void *data, uint32_t size)
{
    hil_file_flash_t *flash = user;
    const uint8_t *byte = data;
    if (!inside(flash, offset, size)) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        flash->partition[offset + i] &= byte[i];
    }
    return true;
}

static bool flash_erase(void *user, uint32_t offset, uint32_t size)
{
    hil_file_flash_t *flash = user;
    if (!inside(flash, offset, size) || (offset | size) % HIL_STORE_SECTOR != 0) {
        return false;
    }
    memset(flash->partition + offset, 0xFF, size);
    return true;
}

static const uint8_t *flash_map(void *user, uint32_t offset, uint32_t size)
{
    hil_file_flash_t *flash = user;
    return inside(flash, offset, size) ? flash->partition + offset : NULL;
}

void hil_file_flash_over(hil_file_flash_t *flash, uint8_t *memory, uint32_t size)
{
    *flash = (hil_file_flash_t){.partition = memory, .size = size};
}

bool hil_file_flash_open(hil_file_flash_t *flash, const char *path, uint32_t offset, uint32_t size)
{
    struct stat status;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        perror(path);
        return false;
    }
    if ((uint64_t)status.st_size < (uint64_t)offset + size) {
        fprintf(stderr, "hil_runner: %s: smaller than the store needs\n", path);
        close(file);
        return false;
    }
    size_t mapped = (size_t)status.st_size;
    void *bytes = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (bytes == MAP_FAILED) {
        perror(path);
        return false;
    }
    hil_file_flash_over(flash, (uint8_t *)bytes + offset, size);
    flash->file = bytes;
    flash->file_size = mapped;
    return true;
}

hil_flash_t hil_file_flash_face(hil_file_flash_t *flash)
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
