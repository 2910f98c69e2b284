/* Pools: windows and averages. */
#include "hil_pool.h"

static hil_status_t read_window(hil_op_context_t *op, hil_pool_t *pool, const hil_value_t *input)
{
    uint32_t spatial = input->rank - 2;
    int64_t kernel[2] = {0, 0};
    int64_t strides[2] = {1, 1};
    int64_t pads[4] = {0, 0, 0, 0};
    const int64_t most = 0xffff;
    HIL_TRY(hil_op_ints(op, "kernel_shape", spatial, 1, most, kernel));
    HIL_TRY(hil_op_ints(op, "strides", spatial, 1, most, strides));
    HIL_TRY(hil_op_ints(op, "pads", 2 * spatial, 0, most, pads));
    hil_mac_axis_t *axes[2] = {&pool->y, &pool->x};
    for (uint32_t i = 0; i < spatial; i++) {
        if (kernel[i] == 0) {
            HIL_FAIL(op, HIL_ERR_SHAPE, "pool without kernel_shape");
        }
        hil_mac_axis_t *axis = axes[2 - spatial + i];
        axis->input = input->dims[1 + i];
        axis->kernel = (uint32_t)kernel[i];
        axis->stride = (uint32_t)strides[i];
        axis->pad_begin = (uint32_t)pads[i];
        axis->pad_end = (uint32_t)pads[spatial + i];
        if (axis->pad_begin >= axis->kernel || axis->pad_end >= axis->kernel) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "pads as large as the kernel");
        }
        HIL_TRY(hil_mac_output_size(op, axis));
    }
    return HIL_OK;
}

static hil_status_t prepare_as(hil_op_context_t *op, bool global)
{
    HIL_TRY(hil_op_expect(op, 1, 1, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    if (input->rank != 3 && input->rank != 4) {
        HIL_FAIL(op, HIL_ERR_SHAPE, "rank of a pooled value");
    }
    if (input->dims[0] != 1) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "batch above 1");
    }
    hil_pool_t *pool = hil_op_alloc(op, sizeof *pool);
    if (pool == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = pool;
    pool->channels = input->dims[input->rank - 1];
    pool->y = (hil_mac_axis_t){.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
    pool->x = pool->y;
    if (global) {
        pool->x.input = input->dims[input->rank - 2];
        pool->x.kernel = pool->x.input;
        pool->y.input = input->rank == 4 ? input->dims[1] : 1;
        pool->y.kernel = pool->y.input;
    } else {
        HIL_TRY(read_window(op, pool, input));
    }
    uint32_t dims_2d[4] = {1, pool->y.output, pool->x.output, pool->channels};
    uint32_t dims_1d[3] = {1, pool->x.output, pool->channels};
    return hil_op_set_shape(op, 0, input->rank, input->rank == 4 ? dims_2d : dims_1d);
}

hil_status_t hil_pool_prepare(hil_op_context_t *op)
{
    return prepare_as(op, false);
}

hil_status_t hil_pool_prepare_global(hil_op_context_t *op)
{
    return prepare_as(op, true);
}

static hil_span_t span_at(const hil_mac_axis_t *axis, uint32_t output)
{
    int64_t first = (int64_t)output * axis->stride - axis->pad_begin;
    int64_t end = first + axis->kernel;
    hil_span_t span = {first<0 ? 0 : (uint32_t)first, end>(int64_t) axis->input ? axis->input
                                                                                : (uint32_t)end};
    return span;
}

void hil_pool_each_window(hil_op_context_t *op, hil_window_t window)
{
    const hil_pool_t *pool = op->node->data;
    for (uint32_t y = 0; y < pool->y.output; y++) {
        for (uint32_t x = 0; x < pool->x.output; x++) {
            window(op, pool, span_at(&pool->y, y), span_at(&pool->x, x),
                   (y * pool->x.output + x) * pool->channels);
        }
    }
}

static void average_window_float(hil_op_context_t *op, const hil_pool_t *pool, hil_span_t ys,
                                 hil_span_t xs, uint32_t output)
{
    const float *input = hil_op_input(op, 0)->data;
    float *result = hil_op_output_data(op, 0);
    float inverse = (float)(1.0 / (double)(pool->y.kernel * pool->x.kernel));
    for (uint32_t c = 0; c < pool->channels; c++) {
        float sum = 0.0f;
        for (uint32_t y = ys.first; y < ys.end; y++) {
            for (uint32_t x = xs.first; x < xs.end; x++) {
                sum += input[(y * pool->x.input + x) * pool->channels + c];
            }
        }
        result[output + c] = sum * inverse;
    }
}

static void average_window(hil_op_context_t *op, const hil_pool_t *pool, hil_span_t ys,
                           hil_span_t xs, uint32_t output)
{
    const hil_value_t *input = hil_op_input(op, 0);
    void *result = hil_op_output_data(op, 0);
    float inverse = 1.0f / (float)(pool->y.kernel * pool->x.kernel);
    float scale = hil_exp2f(input->exponent) * inverse * hil_exp2f(-hil_op_output(op, 0)->exponent);
    for (uint32_t c = 0; c < pool->channels; c++) {
        uint32_t sum = 0; /* wraps beyond 2^16 full-scale int16 taps, as on the board */
        for (uint32_t y = ys.first; y < ys.end; y++) {
            for (uint32_t x = xs.first; x < xs.end; x++) {
                uint32_t at = (y * pool->x.input + x) * pool->channels + c;
                sum += (uint32_t)hil_load_int(input->data, input->dtype, at);
            }
        }
        float mean = (float)(int32_t)sum * scale;
        hil_store_int(result, input->dtype, output + c,
                      hil_quantize(mean, input->dtype, op->rounding));
    }
}

hil_status_t hil_pool_eval_average(hil_op_context_t *op)
{
    bool is_float = hil_op_input(op, 0)->dtype == HIL_FLOAT;
    hil_pool_each_window(op, is_float ? average_window_float : average_window);
    return HIL_OK;
}
