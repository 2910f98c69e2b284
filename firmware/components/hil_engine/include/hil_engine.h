/*
 * The small interface that every engine implements: the C reference engine and ESP-DL.
 *
 * Rules of the contract:
 *  - An engine gets all its memory from the caller, once, in `load`; it calls no allocator after
 *    that and none at all in the reference engine.
 *  - `model` stays readable and unchanged until `unload`.
 *  - Names are slices of the model file: (pointer, size), not NUL-terminated.
 *  - Tensors are in the board's stored layout (NHWC where a convolution feeds them).
 *  - Inputs must be set again before each `run`: an engine may reuse their memory.
 *  - Nothing in a model file may crash an engine: every problem is a status and a filled error.
 */
#ifndef HIL_ENGINE_H
#define HIL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hil_status.h"

#define HIL_MAX_RANK 8

/* Element types; the numbers are those of .espdl and ONNX. */
typedef enum {
    HIL_FLOAT = 1,
    HIL_UINT8 = 2,
    HIL_INT8 = 3,
    HIL_UINT16 = 4,
    HIL_INT16 = 5,
    HIL_INT32 = 6,
    HIL_INT64 = 7,
    HIL_BOOL = 9,
    HIL_DOUBLE = 11,
    HIL_UINT32 = 12,
    HIL_UINT64 = 13
} hil_dtype_t;

/* Whose integers to compute: the kernel family of ESP-DL. */
typedef enum {
    HIL_KERNELS_C = 0,  /* esp32 and relatives: half up, wrapping accumulators */
    HIL_KERNELS_S3 = 1, /* esp32s3: half up, 20/40-bit saturating lanes */
    HIL_KERNELS_P4 = 2  /* esp32p4, esp32s31: half even, saturating */
} hil_kernels_t;

typedef struct {
    const char *data;
    uint32_t size;
} hil_name_t;

typedef struct {
    hil_name_t name;
    hil_dtype_t dtype;
    int32_t exponent; /* real = integer * 2^exponent; 0 for floats */
    uint32_t rank;
    uint32_t dims[HIL_MAX_RANK];
    uint32_t size_bytes;
} hil_tensor_info_t;

/* One output of one node, right after the node ran; `data` is valid during the call only. */
typedef struct {
    uint32_t node_index;   /* in execution order */
    uint32_t output_index; /* among the node's outputs */
    hil_name_t node;
    hil_name_t op_type;
    hil_tensor_info_t value;
    const void *data;
} hil_node_output_t;

/* Called around nodes. Any member may be NULL. */
typedef struct {
    void *user;
    void (*node_begin)(void *user, uint32_t node_index);
    void (*node_end)(void *user, uint32_t node_index);
    void (*node_output)(void *user, const hil_node_output_t *output);
} hil_observer_t;

typedef struct {
    uint32_t total_bytes;      /* what `load` was given */
    uint32_t used_bytes;       /* parameters, tables, graph */
    uint32_t high_water_bytes; /* most ever used, activations included */
} hil_engine_memory_t;

typedef struct {
    hil_kernels_t kernels; /* of this chip; a file whose metadata names another one is refused */
    const char *target;    /* name of this chip, e.g. "esp32s3" */
    uint8_t *arena;        /* 16-byte aligned */
    size_t arena_size;
} hil_engine_config_t;

typedef struct hil_engine hil_engine_t;

struct hil_engine {
    const char *name;    /* "reference", "espdl" */
    const char *version; /* free text, no secrets */
    void *state;

    /* Reads and checks the whole model, plans memory. On failure nothing stays loaded. */
    hil_status_t (*load)(hil_engine_t *engine, const hil_engine_config_t *config,
                         const uint8_t *model, size_t model_size, hil_error_t *error);
    void (*unload)(hil_engine_t *engine);

    uint32_t (*node_count)(const hil_engine_t *engine);
    uint32_t (*input_count)(const hil_engine_t *engine);
    uint32_t (*output_count)(const hil_engine_t *engine);
    hil_status_t (*input_info)(const hil_engine_t *engine, uint32_t index, hil_tensor_info_t *info);
    hil_status_t (*output_info)(const hil_engine_t *engine, uint32_t index,
                                hil_tensor_info_t *info);

    /* Copies part of an input: `offset` and `size` in bytes. */
    hil_status_t (*write_input)(hil_engine_t *engine, uint32_t index, size_t offset,
                                const void *data, size_t size);
    /* Copies the file's own test input into every graph input; HIL_ERR_STATE where it has none. */
    hil_status_t (*use_test_inputs)(hil_engine_t *engine);

    hil_status_t (*run)(hil_engine_t *engine, uint32_t cores, const hil_observer_t *observer,
                        hil_error_t *error);
    /* Copies part of an output of the last run. */
    hil_status_t (*read_output)(const hil_engine_t *engine, uint32_t index, size_t offset,
                                void *data, size_t size);

    /* Whether the loaded model remembers anything from one run to the next (streaming caches). */
    bool (*has_state)(const hil_engine_t *engine);
    /* Forgets what persists between runs; the server calls it for models with state only. */
    void (*reset)(hil_engine_t *engine);
    void (*memory)(const hil_engine_t *engine, hil_engine_memory_t *memory);
};

#endif
