/*
 * The `.espdl` file: container and the tables of its graph.
 *
 * Reads EDL2 and EDL1 containers, plain. Nothing is copied: names and data are slices of the file.
 * Field numbers are those of espdl.fbs (ESP-DL 12c0616).
 */
#ifndef HIL_ESPDL_H
#define HIL_ESPDL_H

#include "hil_flatbuffer.h"

typedef struct {
    hil_reader_t reader; /* over the payload */
    uint32_t payload_at; /* of the payload in the file, for error offsets */
    hil_vector_t nodes;
    hil_vector_t initializers;
    hil_vector_t inputs;      /* ValueInfo */
    hil_vector_t outputs;     /* ValueInfo */
    hil_vector_t value_infos; /* ValueInfo */
    hil_vector_t test_inputs; /* Tensor */
    hil_vector_t metadata;    /* StringStringEntry */
} hil_espdl_t;

typedef struct {
    hil_name_t name;
    hil_dtype_t dtype;
    uint32_t rank;
    uint32_t dims[HIL_MAX_RANK];
    uint32_t count;         /* elements */
    hil_vector_t exponents; /* int64 each; none means exponent 0 */
    uint32_t data_at;       /* position of the first element */
} hil_espdl_tensor_t;

typedef struct {
    hil_name_t name;
    hil_dtype_t dtype;
    uint32_t rank;
    bool has_shape;
    uint32_t dims[HIL_MAX_RANK];
    int32_t exponent;
} hil_espdl_value_t;

typedef struct {
    hil_name_t name;
    hil_name_t op_type;
    hil_vector_t inputs;     /* strings */
    hil_vector_t outputs;    /* strings */
    hil_vector_t attributes; /* Attribute tables */
} hil_espdl_node_t;

typedef enum {
    HIL_ATTRIBUTE_FLOAT = 1,
    HIL_ATTRIBUTE_INT = 2,
    HIL_ATTRIBUTE_STRING = 3,
    HIL_ATTRIBUTE_FLOATS = 6,
    HIL_ATTRIBUTE_INTS = 7
} hil_attribute_type_t;

/* Bytes of one element; 0 for types that this engine does not store. */
uint32_t hil_dtype_size(hil_dtype_t dtype);

/* Opens the container and finds the graph. */
HIL_CHECK_RESULT hil_status_t hil_espdl_open(hil_espdl_t *espdl, const uint8_t *file,
                                             size_t file_size, hil_error_t *error);
/* Fills the error from the reader's fault; HIL_OK where there is none. */
HIL_CHECK_RESULT hil_status_t hil_espdl_check(const hil_espdl_t *espdl, hil_error_t *error);

void hil_espdl_tensor(hil_espdl_t *espdl, hil_table_t table, hil_espdl_tensor_t *tensor);
void hil_espdl_value(hil_espdl_t *espdl, hil_table_t table, hil_espdl_value_t *value);
void hil_espdl_node(hil_espdl_t *espdl, uint32_t index, hil_espdl_node_t *node);
/* The attribute called `name`; absent where the node has none or has one of another type. */
hil_table_t hil_espdl_attribute(hil_espdl_t *espdl, hil_vector_t attributes, const char *name,
                                hil_attribute_type_t type);
/* The value of metadata key `key`; empty where absent. */
hil_name_t hil_espdl_metadata(hil_espdl_t *espdl, const char *key);

#endif
