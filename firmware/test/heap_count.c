/* How often a program under AddressSanitizer allocated, told at its end to the file HIL_HEAP_COUNT.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Of sanitizer/allocator_interface.h, which not every GCC brings along. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static atomic_uint allocations;

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    (void)size;
    atomic_fetch_add(&allocations, 1);
}

static void on_free(const volatile void *memory)
{
    (void)memory;
}

static void tell(void)
{
    unsigned count = atomic_load(&allocations); /* before the file takes some too */
    FILE *file = fopen(getenv("HIL_HEAP_COUNT"), "w");
    if (file != NULL) {
        fprintf(file, "%u\n", count);
        fclose(file);
    }
}

__attribute__((constructor)) static void begin(void)
{
    if (getenv("HIL_HEAP_COUNT") == NULL) {
        return;
    }
    if (__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0 || atexit(tell) != 0) {
        abort();
    }
}
