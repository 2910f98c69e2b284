/* Reductions: which dimensions go, and the walk over the elements of one output. */
#include "hil_reduce.h"

#include "hil_walk.h"

static hil_status_t read_axes(hil_op_context_t *op, const hil_value_t *input, bool *reduced)
{
    const hil_value_t *axes = hil_op_input(op, 1);
    for (uint32_t i = 0; i < input->rank; i++) {
        reduced[i] = false;
    }
    if (axes == NULL || axes->count == 0) {
        if (hil_op_int(op, "noop_with_empty_axes", 0) != 0) {
            HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "noop_with_empty_axes: the board reduces anyway");
        }
        for (uint32_t i = 0; i < input->rank; i++) {
            reduced[i] = true;
        }
        return HIL_OK;
    }
    int64_t list[HIL_MAX_RANK];
    uint32_t count;
    HIL_TRY(hil_op_int_parameter(op, 1, HIL_MAX_RANK, &count, list));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis;
        HIL_TRY(hil_op_axis(op, list[i], input->rank, &axis));
        reduced[axis] = true;
    }
    return HIL_OK;
}

/* The board knows up to 4 groups of neighbouring dimensions that are all kept or all reduced. */
static bool too_many_groups(const bool *reduced, uint32_t rank)
{
    uint32_t groups = 1;
    for (uint32_t i = 1; i < rank; i++) {
        groups += reduced[i] != reduced[i - 1];
    }
    return groups > 4;
}

hil_status_t hil_reduce_prepare(hil_op_context_t *op)
{
    HIL_TRY(hil_op_expect(op, 1, 2, 1));
    const hil_value_t *input = hil_op_input(op, 0);
    HIL_TRY(hil_op_require_numeric(op, input, true));
    HIL_TRY(hil_op_require_same_dtype(op, 0));
    hil_reduce_t *reduce = hil_op_alloc(op, sizeof *reduce);
    if (reduce == NULL) {
        HIL_FAIL(op, HIL_ERR_MEMORY, "arena too small for the graph");
    }
    op->node->data = reduce;
    bool reduced[HIL_MAX_RANK];
    HIL_TRY(read_axes(op, input, reduced));
    if (too_many_groups(reduced, input->rank)) {
        HIL_FAIL(op, HIL_ERR_UNSUPPORTED, "axes alternate more than the board's loops do");
    }
    bool keep = hil_op_int(op, "keepdims", 1) != 0;
    uint32_t strides[HIL_MAX_RANK];
    uint32_t dims[HIL_MAX_RANK];
    uint32_t rank = 0;
    hil_walk_strides(input->rank, input->dims, strides);
    reduce->count = 1;
    for (uint32_t i = 0; i < input->rank; i++) {
        if (reduced[i]) {
            reduce->reduced_dims[reduce->reduced_rank] = input->dims[i];
            reduce->reduced_strides[reduce->reduced_rank++] = strides[i];
            reduce->count *= input->dims[i];
        } else {
            reduce->kept_dims[reduce->kept_rank] = input->dims[i];
            reduce->kept_strides[reduce->kept_rank++] = strides[i];
        }
        if (keep || !reduced[i]) {
            dims[rank++] = reduced[i] ? 1 : input->dims[i];
        }
    }
    if (rank == 0) {
        dims[rank++] = 1;
    }
    return hil_op_set_shape(op, 0, rank, dims);
}

static uint32_t offset_of(uint32_t rank, const uint32_t *dims, const uint32_t *strides, uint32_t i)
{
    uint32_t offset = 0;
    for (uint32_t d = rank; d-- > 0; i /= dims[d]) {
        offset += i % dims[d] * strides[d];
    }
    return offset;
}

uint32_t hil_reduce_first(const hil_reduce_t *reduce, uint32_t output)
{
    return offset_of(reduce->kept_rank, reduce->kept_dims, reduce->kept_strides, output);
}

uint32_t hil_reduce_offset(const hil_reduce_t *reduce, uint32_t i)
{
    return offset_of(reduce->reduced_rank, reduce->reduced_dims, reduce->reduced_strides, i);
}

float hil_reduce_real(const hil_value_t *value, uint32_t index)
{
    if (value->dtype == HIL_FLOAT) {
        return ((const float *)value->data)[index];
    }
    return (float)hil_load_int(value->data, value->dtype, index) * hil_exp2f(value->exponent);
}

float hil_reduce_real_sum(const hil_reduce_t *reduce, const hil_value_t *input, uint32_t first,
                          bool squared)
{
    int64_t sum = 0;
    float sum_float = 0.0f;
    for (uint32_t j = 0; j < reduce->count; j++) {
        uint32_t at = first + hil_reduce_offset(reduce, j);
        if (input->dtype == HIL_FLOAT) {
            float x = hil_reduce_real(input, at);
            sum_float += squared ? x * x : x;
        } else {
            int64_t q = hil_load_int(input->data, input->dtype, at);
            sum += squared ? q * q : q;
        }
    }
    return input->dtype == HIL_FLOAT ? sum_float
                                     : (float)sum * hil_exp2f(input->exponent * (squared ? 2 : 1));
}

hil_status_t hil_reduce_real_eval(hil_op_context_t *op, hil_reduction_t reduction)
{
    const hil_reduce_t *reduce = op->node->data;
    const hil_value_t *input = hil_op_input(op, 0);
    const hil_value_t *output = hil_op_output(op, 0);
    void *y = hil_op_output_data(op, 0);
    float rescale = hil_exp2f(-output->exponent);
    for (uint32_t i = 0; i < output->count; i++) {
        float value = reduction(reduce, input, hil_reduce_first(reduce, i));
        if (input->dtype == HIL_FLOAT) {
            ((float *)y)[i] = value;
        } else {
            hil_store_int(y, input->dtype, i,
                          hil_quantize(value * rescale, input->dtype, op->rounding));
        }
    }
    return HIL_OK;
}
