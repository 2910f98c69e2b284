/*
 * What an operator is, and all that it may ask of the engine.
 *
 * An operator is one file `ops/hil_op_<name>.c` that defines one or more hil_op_t values, listed in
 * ops/hil_ops.c. `prepare` runs once at load: it checks types and attributes, gives every output
 * its shape, and takes what memory it needs. `eval` runs per inference, when `data` of every value
 * is set.
 */
#ifndef HIL_OP_H
#define HIL_OP_H

#include "hil_espdl.h"
#include "hil_num.h"
#include "hil_ref_engine.h"

typedef enum {
    HIL_VALUE_UNSET = 0,  /* described in the file, nobody has made it yet */
    HIL_VALUE_PARAMETER,  /* bytes are in the model file (or a copy in the arena) */
    HIL_VALUE_INPUT,      /* graph input */
    HIL_VALUE_ACTIVATION, /* output of a node */
} hil_value_kind_t;

typedef struct hil_value {
    hil_name_t name;
    hil_dtype_t dtype;
    int32_t exponent; /* the first one where there are several */
    hil_value_kind_t kind;
    uint32_t rank;
    uint32_t dims[HIL_MAX_RANK];
    uint32_t count; /* elements */
    uint32_t size_bytes;
    hil_vector_t exponents; /* of a parameter: int64 in the file */
    const void *data;       /* while evaluating; of parameters also while preparing */
    uint32_t first_node;    /* lifetime of its memory, in node indices */
    uint32_t last_node;
    uint32_t storage; /* index of the value whose memory it has; its own unless aliased */
    size_t offset;    /* in the activation part of the arena */
} hil_value_t;

struct hil_op;

typedef struct hil_node {
    hil_name_t name;
    hil_name_t op_type;
    const struct hil_op *op;
    hil_vector_t attributes;
    uint32_t first_link; /* inputs, then outputs, in state->links */
    uint32_t input_count;
    uint32_t output_count;
    void *data; /* what prepare keeps for eval */
} hil_node_t;

/* Link of an omitted optional input. */
#define HIL_NO_VALUE 0xffffffffu

typedef struct {
    hil_ref_state_t *state;
    hil_espdl_t *espdl; /* NULL while evaluating */
    hil_node_t *node;
    uint32_t node_index;
    hil_kernels_t kernels;
    hil_rounding_t rounding; /* of this target */
    hil_error_t *error;
} hil_op_context_t;

typedef struct hil_op {
    const char *type;
    hil_status_t (*prepare)(hil_op_context_t *op);
    hil_status_t (*eval)(hil_op_context_t *op);
    void (*reset)(hil_op_context_t *op); /* forgets what persists between runs; NULL: nothing */
} hil_op_t;

const hil_op_t *hil_ops_find(hil_name_t type);

/* Records why and returns `status`. `what` is a constant. */
hil_status_t hil_op_fail(hil_op_context_t *op, hil_status_t status, const char *what);
#define HIL_FAIL(op, status, what) return hil_op_fail((op), (status), (what))
/* For functions that give a status: passes a failure on. */
#define HIL_TRY(expression)                                                                        \
    do {                                                                                           \
        hil_status_t hil_try_status = (expression);                                                \
        if (hil_try_status != HIL_OK) {                                                            \
            return hil_try_status;                                                                 \
        }                                                                                          \
    } while (0)

/* Values. An omitted input is NULL. */
const hil_value_t *hil_op_input(const hil_op_context_t *op, uint32_t index);
const hil_value_t *hil_op_output(const hil_op_context_t *op, uint32_t index);
void *hil_op_output_data(const hil_op_context_t *op, uint32_t index);
/* NULL unless the input is a parameter, whose bytes are known while preparing. */
const hil_value_t *hil_op_parameter(const hil_op_context_t *op, uint32_t index);
/* Exponent of one channel of a parameter; the only one where there is one. */
HIL_CHECK_RESULT hil_status_t hil_op_exponent(hil_op_context_t *op, const hil_value_t *parameter,
                                              uint32_t channel, int32_t *exponent);

/* Preparing. */
HIL_CHECK_RESULT hil_status_t hil_op_expect(hil_op_context_t *op, uint32_t least_inputs,
                                            uint32_t most_inputs, uint32_t outputs);
HIL_CHECK_RESULT hil_status_t hil_op_set_shape(hil_op_context_t *op, uint32_t output, uint32_t rank,
                                               const uint32_t *dims);
/* Output 0 shares the bytes of input 0. */
HIL_CHECK_RESULT hil_status_t hil_op_alias(hil_op_context_t *op);
HIL_CHECK_RESULT hil_status_t hil_op_require_same_dtype(hil_op_context_t *op, uint32_t output);
/* Fails unless the dtype of `value` is int8 or int16 (or float where allowed). */
HIL_CHECK_RESULT hil_status_t hil_op_require_numeric(hil_op_context_t *op, const hil_value_t *value,
                                                     bool allow_float);
/* Memory that lives as long as the model; zeroed, 16-byte aligned. NULL: the arena is full. */
void *hil_op_alloc(hil_op_context_t *op, size_t size);
/* Memory that is the node's own while it runs. */
void hil_op_want_scratch(hil_op_context_t *op, size_t size);
void *hil_op_scratch(const hil_op_context_t *op);

/* Attributes; an absent one leaves the default. */
int64_t hil_op_int(hil_op_context_t *op, const char *name, int64_t absent);
float hil_op_float(hil_op_context_t *op, const char *name, float absent);
hil_name_t hil_op_string(hil_op_context_t *op, const char *name, const char *absent);
bool hil_op_has_ints(hil_op_context_t *op, const char *name);
/* Exactly `count` integers, each within [low, high]; untouched where absent. */
HIL_CHECK_RESULT hil_status_t hil_op_ints(hil_op_context_t *op, const char *name, uint32_t count,
                                          int64_t low, int64_t high, int64_t *values);
/* As many as the attribute has, at most HIL_MAX_RANK. */
HIL_CHECK_RESULT hil_status_t hil_op_int_list(hil_op_context_t *op, const char *name,
                                              uint32_t *count, int64_t *values);
/* The elements of an int64 or int32 parameter, at most `capacity` of them. */
HIL_CHECK_RESULT hil_status_t hil_op_int_parameter(hil_op_context_t *op, uint32_t input,
                                                   uint32_t capacity, uint32_t *count,
                                                   int64_t *values);
/* The axis in 0..rank-1, negative ones wrapped. */
HIL_CHECK_RESULT hil_status_t hil_op_axis(hil_op_context_t *op, int64_t axis, uint32_t rank,
                                          uint32_t *result);
/* The value that attribute `lut` names; NULL where the node has none. */
const hil_value_t *hil_op_table(hil_op_context_t *op);

/* Products of dims[from .. to). */
uint32_t hil_dims_product(const uint32_t *dims, uint32_t from, uint32_t to);

#endif
