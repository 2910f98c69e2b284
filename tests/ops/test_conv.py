"""Conv, Gemm and MatMul on the board's layouts, against a definition in plain loops."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import ModelError
from espdl_hil.ir.layouts import FilterKind, filter_dims, pack_filter
from espdl_hil.ir.lowered import Tensor
from espdl_hil.targets import target_named
from tests.ops.nodes import simulate_node

TARGETS = ("esp32", "esp32s3", "esp32p4")


def rounded(value: Fraction, target: str) -> int:
    return round(value) if target == "esp32p4" else floor(value + Fraction(1, 2))


def stored(
    target: str, weights: np.ndarray, kind: FilterKind, exponents: tuple[int, ...]
) -> Tensor:
    block = target_named(target).mac[8 * weights.dtype.itemsize].filter_block
    packed = pack_filter(weights, kind, block)
    dims = filter_dims(weights.shape, kind)
    return Tensor.of("w", packed, exponents=exponents, dims=dims)


def bias_of(values: list[int], dtype: type = np.int32) -> Tensor:
    return Tensor.of("b", np.array(values, dtype), exponents=(-8,))


@given(
    st.sampled_from(TARGETS),
    st.integers(0, 2**32),
    st.booleans(),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 1)] * 4),
)
def test_a_convolution_is_its_definition(
    target: str,
    seed: int,
    depthwise: bool,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> None:
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([1, 3, 16, 17]))
    outputs = channels if depthwise else int(rng.choice([1, 16, 18]))
    x = rng.integers(-128, 128, (1, 5, 4, channels)).astype(np.int8)
    shape = (outputs, 1 if depthwise else channels, *kernel)
    weights = rng.integers(-9, 10, shape).astype(np.int8)
    bias = rng.integers(-500, 500, outputs)
    kind = FilterKind.DEPTHWISE if depthwise else FilterKind.DENSE
    got = simulate_node(
        target,
        "Conv",
        {"x": (x, -4)},
        (np.int8, -1),
        (stored(target, weights, kind, (-4,)), bias_of(bias.tolist())),
        strides=strides,
        pads=pads,
        dilations=(1, 1),
        group=channels if depthwise else 1,
        activation="Relu",
    )
    top, left, bottom, right = pads
    padded = np.pad(x[0].astype(np.int64), ((top, bottom), (left, right), (0, 0)))
    for y, column, n in np.ndindex(got.shape[1:]):
        window = padded[
            y * strides[0] : y * strides[0] + kernel[0],
            column * strides[1] : column * strides[1] + kernel[1],
        ]
        if depthwise:
            total = int((window[..., n] * weights[n, 0]).sum()) + int(bias[n])
        else:
            total = int((window * weights[n].transpose(1, 2, 0)).sum()) + int(bias[n])
        wanted = rounded(Fraction(total, 2**7), target)
        assert got[0, y, column, n] == max(0, min(127, wanted))


@given(st.sampled_from(TARGETS), st.integers(0, 2**32))
def test_one_dimension_is_two_with_a_height_of_one(target: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (1, 9, 5)).astype(np.int8)
    weights = rng.integers(-128, 128, (17, 5, 3)).astype(np.int8)
    long = simulate_node(
        target,
        "Conv",
        {"x": (x, -4)},
        (np.int8, 4),
        (stored(target, weights, FilterKind.DENSE, (-4,)),),
        strides=(2,),
        pads=(1, 0),
        dilations=(2,),
    )
    flat = simulate_node(
        target,
        "Conv",
        {"x": (x[:, None], -4)},
        (np.int8, 4),
        (stored(target, weights[:, :, None], FilterKind.DENSE, (-4,)),),
        strides=(1, 2),
        pads=(0, 1, 0, 0),
        dilations=(1, 2),
    )
    np.testing.assert_array_equal(long, flat[:, 0])


@given(st.sampled_from(TARGETS), st.integers(0, 2**32), st.sampled_from([np.int8, np.int16]))
def test_gemm_and_matmul_multiply_matrices(target: str, seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    inner, outputs = int(rng.choice([1, 8, 17])), int(rng.choice([1, 8, 16, 21]))
    x = rng.integers(-50, 50, (3, inner)).astype(dtype)
    weights = rng.integers(-50, 50, (inner, outputs)).astype(dtype)
    exact = x.astype(np.int64) @ weights.astype(np.int64)
    limits = np.iinfo(dtype)
    wanted = [
        max(limits.min, min(limits.max, rounded(Fraction(int(v), 2**3), target)))
        for v in exact.ravel()
    ]
    for op_type, kind in (("Gemm", FilterKind.GEMM), ("MatMul", FilterKind.MATMUL)):
        right = stored(target, weights, kind, (0,))
        got = simulate_node(target, op_type, {"x": (x, 0)}, (dtype, 3), (right,))
        assert got.ravel().tolist() == wanted


def test_a_dynamic_right_side_lies_as_a_filter_does() -> None:
    rng = np.random.default_rng(5)
    left = rng.integers(-9, 9, (2, 3, 4)).astype(np.int8)
    right = rng.integers(-9, 9, (2, 4, 18)).astype(np.int8)
    packed = pack_filter(right, FilterKind.MATMUL, 16).reshape(right.shape)
    inputs = {"a": (left, 0), "b": (packed, 0)}
    got = simulate_node("esp32s3", "MatMul", inputs, (np.int8, 0))
    exact = left.astype(np.int64) @ right.astype(np.int64)
    np.testing.assert_array_equal(got, np.clip(exact, -128, 127))
    native = simulate_node(
        "esp32s3",
        "MatMul",
        {"a": (left, 0), "b": (right, 0)},
        (np.int8, 0),
        input1_layout="native_kn",
    )
    np.testing.assert_array_equal(native, got)


def one_by_one(
    target: str, *, weights: np.ndarray, exponents: tuple[int, ...], y: int
) -> np.ndarray:
    x = np.ones((1, 1, 1, weights.shape[1]), dtype=np.int8)
    right = stored(target, weights, FilterKind.DENSE, exponents)
    return simulate_node(target, "Conv", {"x": (x, 0)}, (np.int8, y), (right,))


def test_per_channel_weights_shift_every_channel_by_its_own() -> None:
    weights = np.full((3, 1, 1, 1), 100, dtype=np.int8)
    got = one_by_one("esp32p4", weights=weights, exponents=(-3, -2, 0), y=0)
    assert got.ravel().tolist() == [12, 25, 100]  # 12.5 goes to the even 12


@pytest.mark.parametrize("target", ["esp32", "esp32s3"])
def test_per_channel_weights_are_refused_where_they_do_not_exist(target: str) -> None:
    weights = np.ones((2, 1, 1, 1), dtype=np.int8)
    with pytest.raises(ModelError, match=r"node 'node'.*per-channel"):
        one_by_one(target, weights=weights, exponents=(-1, -2), y=0)


@pytest.mark.parametrize("target", ["esp32s3", "esp32p4"])
def test_a_left_shift_is_refused_where_vectors_compute(target: str) -> None:
    weights = np.ones((1, 1, 1, 1), dtype=np.int8)
    with pytest.raises(ModelError, match=r"node 'node'.*cannot shift left"):
        one_by_one(target, weights=weights, exponents=(0,), y=-1)
    assert one_by_one("esp32", weights=weights, exponents=(0,), y=-1).item() == 2


@pytest.mark.parametrize(("target", "shift", "lane"), [("esp32s3", 33, 1), ("esp32p4", 33, 0)])
def test_a_shift_that_the_register_cannot_hold_keeps_its_low_bits(
    target: str, shift: int, lane: int
) -> None:
    weights = np.ones((16, 1, 1, 1), dtype=np.int8)
    y = one_by_one(target, weights=weights, exponents=(-shift,), y=0)
    assert set(y.ravel().tolist()) == {lane}, "one, shifted by 1: half up, or half to even"


def test_a_shift_beyond_64_bits_is_refused() -> None:
    weights = np.ones((16, 1, 1, 1), dtype=np.int8)
    with pytest.raises(ModelError, match="shift by 64 bits"):
        one_by_one("esp32s3", weights=weights, exponents=(-64,), y=0)


def test_a_group_that_is_neither_one_nor_the_channels_is_refused() -> None:
    x = np.zeros((1, 2, 2, 4), dtype=np.int8)
    right = stored("esp32", np.zeros((4, 2, 1, 1), np.int8), FilterKind.DENSE, (0,))
    with pytest.raises(ModelError, match="group 2"):
        simulate_node("esp32", "Conv", {"x": (x, 0)}, (np.int8, 0), (right,), group=2)


def test_a_bias_of_the_wrong_type_is_refused() -> None:
    right = stored("esp32", np.ones((1, 1, 1, 1), np.int8), FilterKind.DENSE, (0,))
    x = np.zeros((1, 1, 1, 1), dtype=np.int8)
    with pytest.raises(ModelError, match="bias is INT64"):
        simulate_node("esp32", "Conv", {"x": (x, 0)}, (np.int8, 0), (right, bias_of([1], np.int64)))


def test_inputs_smaller_than_a_strided_window_are_refused() -> None:
    right = stored("esp32", np.ones((1, 1, 3, 3), np.int8), FilterKind.DENSE, (0,))
    x = np.zeros((1, 2, 2, 1), dtype=np.int8)
    with pytest.raises(ModelError, match="reads past the tensor"):
        simulate_node(
            "esp32",
            "Conv",
            {"x": (x, 0)},
            (np.int8, 0),
            (right,),
            strides=(2, 2),
            pads=(0, 0, 1, 1),
        )
