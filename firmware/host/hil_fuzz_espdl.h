/* Mutations of an .espdl file that keep it one: fields of the graph, and not any byte of it. */
#ifndef HIL_FUZZ_ESPDL_H
#define HIL_FUZZ_ESPDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes one field; false where the file has none that can be found. The size stays. */
bool hil_fuzz_espdl_mutate(uint8_t *file, size_t size, uint64_t *dice);

#endif
