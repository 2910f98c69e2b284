"""Pools, Resize, Requantize, PRelu and reductions: edges that the golden cases do not reach."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import ModelError
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ops._newton import root
from tests.ops.nodes import simulate_node

TARGETS = ("esp32", "esp32s3", "esp32p4")
OMITTED = Tensor.of("", np.zeros(0, np.float32))


def image(*shape: int, seed: int = 0, dtype: type = np.int8) -> np.ndarray:
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(limits.min, limits.max + 1, (1, *shape)).astype(dtype)


@pytest.mark.parametrize("target", TARGETS)
def test_padding_takes_no_part_in_a_maximum(target: str) -> None:
    x = np.full((1, 2, 2, 1), -100, dtype=np.int8)
    got = simulate_node(
        target, "MaxPool", {"x": (x, 0)}, (np.int8, 0), kernel_shape=(2, 2), pads=(1, 1, 1, 1)
    )
    assert got.shape == (1, 3, 3, 1)
    assert (got == -100).all()


@pytest.mark.parametrize("target", TARGETS)
def test_padding_always_counts_in_a_mean(target: str) -> None:
    x = np.full((1, 2, 2, 1), 100, dtype=np.int8)
    got = simulate_node(
        target,
        "AveragePool",
        {"x": (x, 0)},
        (np.int8, 0),
        kernel_shape=(2, 2),
        strides=(2, 2),
        pads=(1, 1, 1, 1),
        count_include_pad=0,
    )
    assert (got == 25).all()


def test_the_mean_of_a_channel_is_exact_before_it_is_scaled() -> None:
    x = image(7, 7, 3)
    got = simulate_node("esp32", "GlobalAveragePool", {"x": (x, -5)}, (np.int8, -5))
    for channel in range(3):
        exact = Fraction(int(x[..., channel].astype(int).sum()), 49)
        assert abs(got[0, 0, 0, channel] - exact) <= Fraction(1, 2) + Fraction(1, 1000)


def resized(
    target: str, x: np.ndarray, scales: list[float], *, e_y: int = 0, mode: str
) -> np.ndarray:
    tensor = Tensor.of("scales", np.array([1, 1, *scales], np.float32))
    parameters = (OMITTED, tensor)
    return simulate_node(target, "Resize", {"x": (x, 0)}, (np.int8, e_y), parameters, mode=mode)


@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from(TARGETS))
def test_nearest_repeats_pixels(height: int, width: int, target: str) -> None:
    x = image(3, 2, 16)
    got = resized(target, x, [height, width], mode="nearest")
    np.testing.assert_array_equal(got, x.repeat(height, axis=1).repeat(width, axis=2))


@pytest.mark.parametrize("target", ["esp32s3", "esp32p4"])
def test_nearest_of_few_channels_is_refused_unless_it_doubles(target: str) -> None:
    with pytest.raises(ModelError, match="registers it never loaded"):
        resized(target, image(3, 2, 15), [3, 3], mode="nearest")
    x = image(3, 2, 15)
    got = resized(target, x, [2, 2], mode="nearest")
    np.testing.assert_array_equal(got, x.repeat(2, axis=1).repeat(2, axis=2))


def test_nearest_on_plain_cores_wraps_where_vectors_saturate() -> None:
    x = np.full((1, 1, 1, 16), 100, dtype=np.int8)
    assert set(resized("esp32", x, [2, 2], e_y=-1, mode="nearest").ravel()) == {200 - 256}
    assert set(resized("esp32s3", x, [2, 2], e_y=-1, mode="nearest").ravel()) == {127}


def test_linear_keeps_a_constant_image() -> None:
    x = np.full((1, 3, 4, 2), 37, dtype=np.int8)
    assert (resized("esp32p4", x, [2.5, 1.5], mode="linear") == 37).all()


def test_linear_between_two_pixels_is_their_mean() -> None:
    x = np.array([0, 100], dtype=np.int8).reshape(1, 2, 1)
    tensor = Tensor.of("scales", np.array([1, 1, 2], np.float32))
    got = simulate_node(
        "esp32", "Resize", {"x": (x, 0)}, (np.int8, 0), (OMITTED, tensor), mode="linear"
    )
    assert got.ravel().tolist() == [0, 25, 75, 100]


def test_linear_of_a_single_row_is_refused() -> None:
    with pytest.raises(ModelError, match="single row or column"):
        resized("esp32", image(1, 4, 2), [2, 2], mode="linear")


def test_int16_resize_is_refused() -> None:
    with pytest.raises(ModelError, match="int16 kernel is empty"):
        resized("esp32", image(2, 2, 16, dtype=np.int16), [2, 2], mode="nearest")


@given(
    st.sampled_from(TARGETS),
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=60),
    st.integers(-4, 14),
    st.sampled_from([np.int8, np.int16]),
)
def test_requantizing_rounds_the_exact_quotient(
    target: str, values: list[int], shift: int, dtype: type
) -> None:
    x = np.array(values, dtype=np.int16)
    got = simulate_node(target, "RequantizeLinear", {"x": (x, 0)}, (dtype, shift))
    limits = np.iinfo(dtype)
    for found, value in zip(got.tolist(), values, strict=True):
        exact = Fraction(value) / Fraction(2) ** shift
        wanted = round(exact) if target == "esp32p4" else floor(exact + Fraction(1, 2))
        assert found == max(limits.min, min(limits.max, wanted))


@pytest.mark.parametrize(
    ("target", "source", "wanted", "shift", "size"),
    [
        ("esp32s3", np.int8, np.int8, -7, 64),
        ("esp32s3", np.int16, np.int8, -5, 64),
        ("esp32s3", np.int8, np.int16, 1, 56),
        ("esp32p4", np.int8, np.int8, -15, 64),
    ],
)
def test_requantizing_beyond_a_kernels_limits_is_refused(
    target: str, source: type, wanted: type, shift: int, size: int
) -> None:
    x = np.ones(size, dtype=source)
    with pytest.raises(ModelError, match="vector kernel"):
        simulate_node(target, "RequantizeLinear", {"x": (x, 0)}, (wanted, shift))
    few = simulate_node(target, "RequantizeLinear", {"x": (x[:50], 0)}, (wanted, shift))
    assert few[0] == min(
        np.iinfo(wanted).max, floor(Fraction(1) / Fraction(2) ** shift + Fraction(1, 2))
    )


def test_quantizing_and_dequantizing_are_the_same_conversion() -> None:
    x = np.array([-0.75, -0.25, 0.25, 0.75], dtype=np.float32)
    for target, expected in (("esp32", [-1, 0, 1, 2]), ("esp32p4", [-2, 0, 0, 2])):
        got = simulate_node(target, "QuantizeLinear", {"x": (x, 0)}, (np.int8, -1))
        assert got.tolist() == expected
    back = simulate_node(
        "esp32", "DequantizeLinear", {"x": (np.array([3], np.int8), -2)}, (np.float32, 0)
    )
    assert back.tolist() == [0.75]


@pytest.mark.parametrize(
    ("target", "dtype", "expected"),
    [
        ("esp32", np.int8, [-8, 3]),
        ("esp32", np.int16, [-8, 3]),
        ("esp32s3", np.int8, [-7, 3]),
        ("esp32s3", np.int16, [-8, 3]),
        ("esp32p4", np.int8, [-8, 3]),
        ("esp32p4", np.int16, [-8, 3]),
    ],
)
def test_a_slope_floors_or_rounds_as_its_kernel_does(
    target: str, dtype: type, expected: list[int]
) -> None:
    """-3 * 5 / 2 = -7.5: floor and half even say -8, half up says -7."""
    x = np.array([-3, 3], dtype=dtype).repeat(16).reshape(1, 1, 2, 16)
    slopes = Tensor.of("a", np.full((16, 1, 1), 5, dtype), exponents=(-1,))
    got = simulate_node(target, "PRelu", {"x": (x, 0)}, (dtype, 0), (slopes,))
    assert got[0, 0, :, 0].tolist() == expected


@given(st.integers(0, 2**32), st.sampled_from([np.int8, np.int16]))
def test_a_sum_along_axes_is_exact_before_it_is_shifted(seed: int, dtype: type) -> None:
    x = image(3, 4, 5, seed=seed, dtype=dtype)
    axes = Tensor.of("axes", np.array([1, 3], np.int64))
    got = simulate_node("esp32", "ReduceSum", {"x": (x, 0)}, (dtype, 3), (axes,), keepdims=0)
    exact = x.astype(np.int64).sum(axis=(1, 3))
    limits = np.iinfo(dtype)
    np.testing.assert_array_equal(got, np.clip((exact + 4) >> 3, limits.min, limits.max))


def test_reductions_over_scattered_axes_are_refused() -> None:
    x = np.zeros((2, 2, 2, 2, 2), dtype=np.int8)
    axes = Tensor.of("axes", np.array([0, 2, 4], np.int64))
    with pytest.raises(ModelError, match="4 alternating runs"):
        simulate_node("esp32", "ReduceMax", {"x": (x, 0)}, (np.int8, 0), (axes,))


def test_the_boards_root_is_near_the_true_one_but_not_everywhere_equal() -> None:
    x = np.random.default_rng(3).uniform(0, 1e9, 4000).astype(np.float32)
    true = np.sqrt(x.astype(np.float64))
    found = root(x)
    np.testing.assert_allclose(found, true, rtol=3e-7, atol=2e-5)
    tiny = np.array([0, 1e-12, 1e-9], dtype=np.float32)
    assert root(tiny)[0] == 0
    assert root(tiny)[1] > 2e-6  # it stops at a step of 1e-5, far from 1e-6


def test_an_int8_softmax_sums_exponentials_without_a_maximum() -> None:
    x = np.array([[-128, 0, 127]], dtype=np.int8)
    got = simulate_node("esp32", "Softmax", {"x": (x, -4)}, (np.float32, 0), axis=-1)
    real = np.exp(x / 16.0)
    np.testing.assert_allclose(got, real / real.sum(), rtol=1e-6)
    overflow = simulate_node("esp32", "Softmax", {"x": (x, 0)}, (np.float32, 0), axis=-1)
    assert np.isnan(overflow[0, 2])


def test_pads_as_large_as_the_window_are_refused() -> None:
    with pytest.raises(ModelError, match="not smaller than the kernel"):
        simulate_node(
            "esp32",
            "MaxPool",
            {"x": (image(4, 1), 0)},
            (np.int8, 0),
            kernel_shape=(2,),
            pads=(2, 0),
        )


def test_aligned_corners_with_one_output_are_refused() -> None:
    x = np.array([9, 1, 5], dtype=np.int8).reshape(1, 3, 1)
    sizes = Tensor.of("sizes", np.array([1, 1, 1], np.int64))
    with pytest.raises(ModelError, match="divides by zero"):
        simulate_node(
            "esp32",
            "Resize",
            {"x": (x, 0)},
            (np.int8, 0),
            (OMITTED, OMITTED, sizes),
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )
