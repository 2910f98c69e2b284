"""Filter packings: every position of the documented formulas, and their inverses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import ModelError
from espdl_hil.ir.layouts import (
    FilterKind,
    filter_dims,
    filter_doc,
    pack_filter,
    unpack_filter,
)

BLOCKS = st.sampled_from([1, 8, 16])
SIZES = st.integers(1, 3)
CHANNELS = st.integers(1, 35)


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape)


@given(BLOCKS, CHANNELS, SIZES, SIZES, SIZES)
def test_a_dense_weight_lies_where_the_format_says(
    block: int, n_count: int, c_count: int, height: int, width: int
) -> None:
    weights = numbered(n_count, c_count, height, width)
    packed = pack_filter(weights, FilterKind.DENSE, block)
    whole = n_count // block * block if block > 1 else 0
    for n, c, y, x in np.ndindex(weights.shape):
        if n < whole:
            tap = (n // block * height + y) * width + x
            offset = (tap * c_count + c) * block + n % block
        else:
            rest = ((n - whole) * height + y) * width + x
            offset = whole * height * width * c_count + rest * c_count + c
        assert packed[offset] == weights[n, c, y, x]


@given(BLOCKS, CHANNELS, SIZES, SIZES)
def test_a_depthwise_weight_lies_where_the_format_says(
    block: int, n_count: int, height: int, width: int
) -> None:
    weights = numbered(n_count, 1, height, width)
    packed = pack_filter(weights, FilterKind.DEPTHWISE, block)
    whole = n_count // block * block if block > 1 else 0
    for n, _, y, x in np.ndindex(weights.shape):
        if n < whole:
            offset = (n // block * height * width + y * width + x) * block + n % block
        else:
            offset = whole * height * width + (y * width + x) * (n_count - whole) + n - whole
        assert packed[offset] == weights[n, 0, y, x]


@given(st.sampled_from(list(FilterKind)), BLOCKS, CHANNELS, SIZES, SIZES, SIZES, st.booleans())
def test_unpacking_inverts_packing(
    kind: FilterKind, block: int, n: int, c: int, height: int, width: int, one_dimension: bool
) -> None:
    spatial = (width,) if one_dimension else (height, width)
    shape = {
        FilterKind.DENSE: (n, c, *spatial),
        FilterKind.DEPTHWISE: (n, 1, *spatial),
        FilterKind.GEMM: (c, n),
        FilterKind.MATMUL: (height, c, n) if one_dimension else (c, n),
    }[kind]
    weights = numbered(*shape)
    packed = pack_filter(weights, kind, block)
    assert sorted(packed) == sorted(weights.ravel())
    dims = filter_dims(shape, kind)
    np.testing.assert_array_equal(unpack_filter(packed, dims, kind, block), weights)


def test_the_worked_examples_of_the_format() -> None:
    eighteen = np.arange(18, dtype=np.int8).reshape(18, 1, 1, 1)
    assert pack_filter(eighteen, FilterKind.DENSE, 16).tolist() == list(range(18))
    wide = numbered(16, 1, 1, 2)
    assert pack_filter(wide, FilterKind.DENSE, 16).tolist() == [
        *wide[:, 0, 0, 0],
        *wide[:, 0, 0, 1],
    ]
    tail = numbered(18, 1, 1, 2)
    expected = [tail[16, 0, 0, 0], tail[17, 0, 0, 0], tail[16, 0, 0, 1], tail[17, 0, 0, 1]]
    assert pack_filter(tail, FilterKind.DEPTHWISE, 16)[-4:].tolist() == expected


def test_the_names_are_those_that_esp_ppq_writes() -> None:
    assert filter_doc((16, 3, 3, 3), FilterKind.DENSE, 16) == "layout ==> (N/16)HWC16"
    assert filter_doc((9, 3, 3), FilterKind.DENSE, 8) == "layout ==> (N/8)WC8_UNALIGNED"
    assert filter_doc((9, 3, 3), FilterKind.DENSE, 1) == "layout ==> NWC"
    assert filter_doc((9, 1, 3, 3), FilterKind.DEPTHWISE, 1) == "layout ==> HWCN"
    assert filter_doc((160, 80), FilterKind.MATMUL, 8) == "layout ==> (N/8)HWC8"


@pytest.mark.parametrize(
    ("dims", "kind"),
    [
        ((2, 3), FilterKind.GEMM),
        ((2, 1, 3, 4), FilterKind.GEMM),
        ((3, 3, 8, 2), FilterKind.DEPTHWISE),
        ((3,), FilterKind.MATMUL),
        ((3, 3, 3, 3, 3), FilterKind.DENSE),
    ],
)
def test_dims_that_fit_no_filter_are_refused(dims: tuple[int, ...], kind: FilterKind) -> None:
    with pytest.raises(ModelError, match="cannot have dims"):
        unpack_filter(np.zeros(int(np.prod(dims)), np.int8), dims, kind, 16)
