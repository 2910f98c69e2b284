/* CFI commands (Intel set, buffered programming) and partition calls, on the bench's flash. */
#include "hil_vault_chips.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hil_bytes.h"
#include "hil_port_flash.h"
#include "hil_port_memory.h"

#define WINDOW 0x22000000u
#define WINDOW_BYTES 0x02000000u
#define BUFFER_WORDS 512u

#define STATUS_READY 0x80u
#define STATUS_FAILED 0x10u

hil_bench_flash_t *hil_vault_chip;

/* --- QEMU's chip -------------------------------------------------------------------------- */

typedef enum { READING, COUNTING, FILLING, CONFIRMING, DONE } cfi_state_t;

static struct {
    cfi_state_t state;
    uint32_t words;
    uint32_t filled;
    uint32_t at;
    uint32_t status;
    uint8_t buffer[BUFFER_WORDS * 4];
} cfi;

uint8_t *hil_vault_window(uint32_t size)
{
    static uint8_t *window;
    if (window == NULL) {
        void *found =
            mmap((void *)(uintptr_t)WINDOW, WINDOW_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        window = found == MAP_FAILED ? NULL : found;
    }
    return size <= WINDOW_BYTES ? window : NULL;
}

uint32_t hil_rv32_load32(uintptr_t address)
{
    if (cfi.state == READING) {
        return hil_get_le32(hil_vault_chip->bytes + (address - WINDOW));
    }
    return cfi.status;
}

/* A command that the chip's data sheet does not have here is a bug of the adapter. */
static void expect(bool right)
{
    if (!right) {
        abort();
    }
}

static void command(uint32_t value)
{
    switch (value) {
    case 0x50: /* clear status */
        cfi.status = STATUS_READY;
        cfi.state = READING;
        break;
    case 0xE8: /* write to buffer */
        cfi.state = COUNTING;
        break;
    case 0xFF: /* read array */
        cfi.state = READING;
        break;
    default:
        expect(false);
    }
}

void hil_rv32_store32(uintptr_t address, uint32_t value)
{
    uint32_t at = (uint32_t)(address - WINDOW);
    expect(at % 4 == 0 && at < hil_vault_chip->size);
    switch (cfi.state) {
    case COUNTING:
        expect(value < BUFFER_WORDS);
        cfi.words = value + 1;
        cfi.filled = 0;
        cfi.at = at;
        cfi.state = FILLING;
        break;
    case FILLING:
        expect(at == cfi.at + 4 * cfi.filled &&
               at / sizeof(cfi.buffer) == cfi.at / sizeof(cfi.buffer));
        hil_put_le32(cfi.buffer + 4 * cfi.filled, value);
        cfi.filled++;
        cfi.state = cfi.filled == cfi.words ? CONFIRMING : FILLING;
        break;
    case CONFIRMING:
        expect(value == 0xD0);
        cfi.status = STATUS_READY;
        if (!hil_bench_flash_put(hil_vault_chip, cfi.at, cfi.buffer, 4 * cfi.words)) {
            cfi.status |= STATUS_FAILED;
        }
        cfi.state = DONE;
        break;
    default:
        command(value);
    }
}

/* --- ESP-IDF's partition ------------------------------------------------------------------ */

static esp_partition_t partition;

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type,
                                                esp_partition_subtype_t subtype, const char *label)
{
    (void)subtype;
    expect(type == ESP_PARTITION_TYPE_DATA && strcmp(label, HIL_MODEL_PARTITION) == 0);
    partition = (esp_partition_t){.type = type, .size = hil_vault_chip->size};
    return &partition;
}

static esp_err_t done(bool well)
{
    return well ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_partition_read(const esp_partition_t *of, size_t offset, void *to, size_t size)
{
    hil_flash_t face = hil_bench_flash_face(hil_vault_chip);
    expect(of == &partition);
    return done(face.read(face.user, (uint32_t)offset, to, (uint32_t)size));
}

esp_err_t esp_partition_write(const esp_partition_t *of, size_t offset, const void *from,
                              size_t size)
{
    hil_flash_t face = hil_bench_flash_face(hil_vault_chip);
    expect(of == &partition);
    return done(face.write(face.user, (uint32_t)offset, from, (uint32_t)size));
}

esp_err_t esp_partition_erase_range(const esp_partition_t *of, size_t offset, size_t size)
{
    hil_flash_t face = hil_bench_flash_face(hil_vault_chip);
    expect(of == &partition);
    return done(face.erase(face.user, (uint32_t)offset, (uint32_t)size));
}

esp_err_t esp_partition_mmap(const esp_partition_t *of, size_t offset, size_t size,
                             esp_partition_mmap_memory_t memory, const void **out,
                             esp_partition_mmap_handle_t *handle)
{
    (void)memory;
    expect(of == &partition && offset <= of->size && size <= of->size - offset);
    *out = hil_vault_chip->bytes + offset;
    *handle = 1;
    return ESP_OK;
}

void esp_partition_munmap(esp_partition_mmap_handle_t handle)
{
    expect(handle == 1);
}

/* --- What the adapter takes from the heap only where there is no partition ------------------ */

void *hil_port_take(size_t size)
{
    return malloc(size);
}

void heap_caps_free(void *memory)
{
    free(memory);
}
