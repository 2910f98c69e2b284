/* Large memory, and what is left of each kind. */
#include "hil_port_memory.h"

#include "esp_heap_caps.h"

#define ALIGNMENT 16u
/* Left alone in internal RAM: drivers and C++ strings allocate there. */
#define INTERNAL_RESERVE (24u * 1024)

static uint32_t large_caps(void)
{
    uint32_t kind = hil_port_has_psram() ? MALLOC_CAP_SPIRAM : MALLOC_CAP_INTERNAL;
    return kind | MALLOC_CAP_8BIT;
}

bool hil_port_has_psram(void)
{
    return heap_caps_get_total_size(MALLOC_CAP_SPIRAM) > 0;
}

void *hil_port_take(size_t size)
{
    return heap_caps_aligned_alloc(ALIGNMENT, size, large_caps());
}

size_t hil_port_largest(void)
{
    size_t largest = heap_caps_get_largest_free_block(large_caps());
    size_t reserve = hil_port_has_psram() ? ALIGNMENT : INTERNAL_RESERVE;
    return largest > reserve ? (largest - reserve) / ALIGNMENT * ALIGNMENT : 0;
}

static hil_region_t heap_region(const char *name, uint32_t caps)
{
    size_t total = heap_caps_get_total_size(caps);
    return (hil_region_t){
        .name = name,
        .total_bytes = (uint32_t)total,
        .free_bytes = (uint32_t)heap_caps_get_free_size(caps),
        .high_water_bytes = (uint32_t)(total - heap_caps_get_minimum_free_size(caps)),
    };
}

uint32_t hil_port_heap_regions(hil_region_t *regions, uint32_t capacity)
{
    uint32_t count = 0;
    if (count < capacity) {
        regions[count++] = heap_region("internal", MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT);
    }
    if (count < capacity && hil_port_has_psram()) {
        regions[count++] = heap_region("psram", MALLOC_CAP_SPIRAM);
    }
    return count;
}
