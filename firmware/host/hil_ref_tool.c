/*
 * Runs one .espdl file in the reference engine and prints what it computed.
 *
 *   hil_ref_tool KERNELS MODEL [INPUT...]
 *
 * KERNELS is c, s3 or p4. Each INPUT is a file with the raw bytes of one graph input, in the order
 * of the graph; without any, the file's own test inputs are used. One line per node output: node
 * index, value name, dtype, FNV-1a of its bytes; then the memory. Built with sanitizers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hil_ref_engine.h"

#define ARENA_SIZE ((size_t)64 << 20)
#define ALIGNMENT 16u

/* The whole file in memory of exactly its size, so that a sanitizer sees every overrun. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    long end = ftell(file);
    if (end < 0 || fseek(file, 0, SEEK_SET) != 0) {
        perror(path);
        exit(2);
    }
    *size = (size_t)end;
    uint8_t *bytes = malloc(*size == 0 ? 1 : *size);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(file);
    return bytes;
}

static void print_output(void *user, const hil_node_output_t *output)
{
    const uint8_t *bytes = output->data;
    uint64_t hash = UINT64_C(14695981039346656037);
    (void)user;
    for (uint32_t i = 0; i < output->value.size_bytes; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    printf("%" PRIu32 " %.*s %d %016" PRIx64 "\n", output->node_index, (int)output->value.name.size,
           output->value.name.data, (int)output->value.dtype, hash);
}

static int fail(const hil_error_t *error)
{
    fprintf(stderr, "status %d: %s, node %.*s, offset %" PRIu32 "\n", (int)error->status,
            error->what == NULL ? "" : error->what, error->node == NULL ? 0 : (int)error->node_size,
            error->node == NULL ? "" : error->node, error->offset);
    return 1;
}

static hil_status_t set_inputs(hil_engine_t *engine, int count, char **paths)
{
    if (count == 0) {
        return engine->use_test_inputs(engine);
    }
    for (int i = 0; i < count; i++) {
        size_t size;
        uint8_t *bytes = read_file(paths[i], &size);
        hil_status_t status = engine->write_input(engine, (uint32_t)i, 0, bytes, size);
        free(bytes);
        if (status != HIL_OK) {
            return status;
        }
    }
    return HIL_OK;
}

static int run(hil_engine_t *engine, int count, char **paths)
{
    hil_error_t error = {.status = set_inputs(engine, count, paths), .what = "inputs"};
    hil_observer_t observer = {.node_output = print_output};
    if (error.status != HIL_OK || engine->run(engine, 1, &observer, &error) != HIL_OK) {
        return fail(&error);
    }
    hil_engine_memory_t memory;
    engine->memory(engine, &memory);
    printf("memory used %" PRIu32 " high water %" PRIu32 "\n", memory.used_bytes,
           memory.high_water_bytes);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"c", "s3", "p4"};
    static const char *const targets[] = {"esp32", "esp32s3", "esp32p4"};
    size_t kernels = 0;
    while (argc >= 3 && kernels < 3 && strcmp(argv[1], names[kernels]) != 0) {
        kernels++;
    }
    if (argc < 3 || kernels == 3) {
        fprintf(stderr, "usage: %s c|s3|p4 MODEL [INPUT...]\n", argv[0]);
        return 2;
    }
    size_t model_size;
    uint8_t *model = read_file(argv[2], &model_size);
    uint8_t *arena = aligned_alloc(ALIGNMENT, ARENA_SIZE);
    hil_engine_t engine;
    hil_ref_state_t state;
    hil_error_t error;
    hil_ref_engine_init(&engine, &state);
    hil_engine_config_t config = {.kernels = (hil_kernels_t)kernels,
                                  .target = targets[kernels],
                                  .arena = arena,
                                  .arena_size = arena == NULL ? 0 : ARENA_SIZE};
    int result = engine.load(&engine, &config, model, model_size, &error) == HIL_OK
                     ? run(&engine, argc - 3, argv + 3)
                     : fail(&error);
    free(arena);
    free(model);
    return result;
}
