/*
 * ScatterND: updates put into a copy of the data, or combined with it as raw integers.
 *
 * Exponents are ignored, also by `mul`, as on the board. Negative indices are refused: the board
 * writes before the tensor with them. Source: ESP-DL 12c0616 dl_module_scatter_nd.hpp.
 */
#include <string.h>

#include "hil_walk.h"

typedef enum { SCATTER_PUT, SCATTER_ADD, SCATTER_MUL, SCATTER_MAX, SCATTER_MIN } scatter_mode_t;

typedef struct {
    scatter_mode_t mode;
    uint32_t depth;  /* coordinates per index */
    uint32_t slices; /* number of indices */
    uint32_t length; /* elements per slice */
    uint32_t strides[HIL_MAX_RANK];
} scatter_t;

static hil_status_t read_mode(hil_op_context_t *op, scatter_t *scatter)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    hil_name_t mode = hil_op_string(op, "reduction", "none");
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (hil_name_is(mode, names[i])) {
            scatter->mode = (scatter_mode_t)i;
            return HIL_OK;
        }
    }
    HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "reduction");
}

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 3, 3, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *data = hil_op_input(op, 0);
    const hil_value_t *indices = hil_op_input(op, 1);
    const hil_value_t *updates = hil_op_input(op, 2);
    HIL_TRY(hil_op_require_numeric(op, data, true));
    if (indices->dtype != HIL_INT64 || updates->dtype != data->dtype) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "element type of indices or updates");
    }
    if (indices->rank == 0 || indices->dims[indices->rank - 1] == 0 ||
        indices->dims[indices->rank - 1] > data->rank) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "indices");
    }
    scatter_t *scatter = hil_op_alloc(op, sizeof *scatter);
    if (scatter == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = scatter;
    HIL_TRY(read_mode(op, scatter));
    scatter->depth = indices->dims[indices->rank - 1];
    scatter->slices = indices->count / scatter->depth;
    scatter->length = hil_dims_product(data->dims, scatter->depth, data->rank);
    hil_walk_strides(data->rank, data->dims, scatter->strides);
    if ((uint64_t)scatter->slices * scatter->length != updates->count) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "updates do not fit the indices");
    }
    return hil_op_set_shape(op, 0, data->rank, data->dims);
}

static float combined(scatter_mode_t mode, float current, float update)
{
    switch (mode) {
    case SCATTER_ADD:
        return current + update;
    case SCATTER_MUL:
        return current * update;
    case SCATTER_MAX:
        return current < update ? update : current;
    case SCATTER_MIN:
        return update < current ? update : current;
    case SCATTER_PUT:
        break;
    }
    return update;
}

static void combine(const scatter_t *scatter, hil_dtype_t dtype, void *y, uint32_t to,
                    const void *updates, uint32_t from)
{
    for (uint32_t i = 0; i < scatter->length; i++) {
        if (dtype == HIL_FLOAT) {
            float *element = (float *)y + to + i;
            *element = combined(scatter->mode, *element, ((const float *)updates)[from + i]);
            continue;
        }
        /* In 24 bits everything of 8 and 16 bits is exact, but for products that saturate. */
        float value = combined(scatter->mode, (float)hil_load_int(y, dtype, to + i),
                               (float)hil_load_int(updates, dtype, from + i));
        hil_store_int(y, dtype, to + i,
                      hil_clamp_s32((int32_t)value, hil_int_min(dtype), hil_int_max(dtype)));
    }
}

static hil_status_t eval(hil_op_context_t *op)
{
    const scatter_t *scatter = op->node->data;
    const hil_value_t *data = hil_op_input(op, 0);
    const int64_t *index = hil_op_input(op, 1)->data;
    void *y = hil_op_output_data(op, 0);
    memcpy(y, data->data, data->size_bytes);
    for (uint32_t s = 0; s < scatter->slices; s++, index += scatter->depth) {
        uint32_t to = 0;
        for (uint32_t d = 0; d < scatter->depth; d++) {
            if (index[d] < 0 || index[d] >= (int64_t)data->dims[d]) {
                HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "an index is negative or beyond the dimension");
            }
            to += (uint32_t)index[d] * scatter->strides[d];
        }
        combine(scatter, data->dtype, y, to, hil_op_input(op, 2)->data, s * scatter->length);
    }
    return HIL_OK;
}

const hil_op_t hil_op_scatternd = {.type = "ScatterND", .prepare = prepare, .eval = eval};
