/*
 * StreamingCache: the last window - 1 frames of earlier inputs, then the input.
 *
 * The board copies flat bytes, which is right only where every dimension before the frame axis is
 * 1; anything else is refused. Zeros after a reset. Source: ESP-DL 12c0616
 * dl_module_streaming_cache.hpp.
 */
#include <string.h>

#include "hil_op.h"

typedef struct {
    uint32_t size; /* bytes */
    uint8_t *bytes;
} cache_t;

static hil_status_t prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    const hil_value_t *input = hil_op_input(op, 0);
    int64_t window = hil_op_int(op, "window_size", 0);
    uint32_t axis;
    HIL_TRY(hil_op_axis(op, hil_op_int(op, "frame_axis", 1), input->rank, &axis));
    if (window < 1 || window > 0xffff) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "window_size");
    }
    if (hil_dims_product(input->dims, 0, axis) != 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "a dimension before the frame axis is not 1");
    }
    cache_t *cache = hil_op_alloc(op, sizeof *cache);
    if (cache == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = cache;
    uint32_t dims[HIL_MAX_RANK];
    memcpy(dims, input->dims, sizeof dims);
    dims[axis] += (uint32_t)window - 1;
    HIL_TRY(hil_op_set_shape(op, 0, input->rank, dims));
    cache->size = hil_op_output(op, 0)->size_bytes - input->size_bytes;
    cache->bytes = hil_op_alloc(op, cache->size);
    if (cache->bytes == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for a streaming cache");
    }
    return HIL_OK;
}

static hil_status_t eval(hil_op_context_t *op)
{
    const cache_t *cache = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    uint8_t *output = hil_op_output_data(op, 0);
    memcpy(output, cache->bytes, cache->size);
    memcpy(output + cache->size, input->data, input->size_bytes);
    memcpy(cache->bytes, output + input->size_bytes, cache->size);
    return HIL_OK;
}

static void reset(hil_op_context_t *op)
{
    const cache_t *cache = op->node->data;
    memset(cache->bytes, 0, cache->size);
}

const hil_op_t hil_op_streamingcache = {
    .type = "StreamingCache", .prepare = prepare, .eval = eval, .reset = reset};
