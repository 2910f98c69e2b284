"""Elementwise operators on two inputs: raw integers, both paths of Mul, ESP-DL's division."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import ModelError
from espdl_hil.ops._elementwise import merged
from tests.ops.nodes import simulate_node

TARGETS = ("esp32", "esp32s3", "esp32p4")
INT8S = st.lists(st.integers(-128, 127), min_size=1, max_size=40)


def pair(a: list[int], b: list[int], dtype: type = np.int8) -> dict[str, tuple[np.ndarray, int]]:
    return {"a": (np.array(a, dtype), -3), "b": (np.array(b, dtype), -3)}


@given(INT8S, st.sampled_from(TARGETS))
def test_add_and_sub_saturate_raw_integers(values: list[int], target: str) -> None:
    other = values[::-1]
    total = simulate_node(target, "Add", pair(values, other), (np.int8, -3))
    rest = simulate_node(target, "Sub", pair(values, other), (np.int8, -3))
    for got, x, y in zip(total.tolist(), values, other, strict=True):
        assert got == max(-128, min(127, x + y))
    for got, x, y in zip(rest.tolist(), values, other, strict=True):
        assert got == max(-128, min(127, x - y))


@given(INT8S, st.integers(0, 14), st.sampled_from(TARGETS))
def test_mul_rounds_the_exact_int8_product(values: list[int], shift: int, target: str) -> None:
    other = values[1:] + values[:1]
    got = simulate_node(target, "Mul", pair(values, other), (np.int8, -6 + shift))
    for found, x, y in zip(got.tolist(), values, other, strict=True):
        exact = Fraction(x * y, 2**shift)
        wanted = round(exact) if target == "esp32p4" else floor(exact + Fraction(1, 2))
        assert found == max(-128, min(127, wanted))


def test_an_int16_product_is_exact_only_in_a_vector() -> None:
    """32767 * 32765 + a half in the last place: float32 keeps 24 bits of the product."""
    a, b = [32767] * 8, [32765] * 8
    exact = Fraction(32767 * 32765, 2**16)
    inputs = {"a": (np.array(a, np.int16), 0), "b": (np.array(b, np.int16), 0)}
    short = {name: (array[:7], e) for name, (array, e) in inputs.items()}
    in_vector = simulate_node("esp32s3", "Mul", inputs, (np.int16, 16))
    in_float = simulate_node("esp32s3", "Mul", short, (np.int16, 16))
    plain = simulate_node("esp32", "Mul", inputs, (np.int16, 16))
    rounded_product = Fraction(int(np.float32(32767 * 32765)), 2**16)
    assert set(in_vector.tolist()) == {floor(exact + Fraction(1, 2))}
    assert (
        set(in_float.tolist()) == set(plain.tolist()) == {floor(rounded_product + Fraction(1, 2))}
    )


@pytest.mark.parametrize("target", ["esp32s3", "esp32p4"])
def test_a_left_shift_of_a_vector_product_is_refused(target: str) -> None:
    with pytest.raises(ModelError, match=r"node 'node'.*shift by -1 bits"):
        simulate_node(target, "Mul", pair([1] * 16, [1] * 16), (np.int8, -7))
    assert simulate_node("esp32", "Mul", pair([1] * 16, [3] * 16), (np.int8, -7))[0] == 6


@pytest.mark.parametrize("target", TARGETS)
def test_dividing_by_zero_gives_the_rail_of_the_dividend(target: str) -> None:
    got = simulate_node(target, "Div", pair([5, -5, 0], [0, 0, 0]), (np.int8, 0))
    assert got.tolist() == [127, -128, 0]


def test_zero_by_zero_is_the_lower_rail_where_the_dividend_is_one_element() -> None:
    inputs = {"a": (np.array([0], np.int8), 0), "b": (np.array([0, 3], np.int8), 0)}
    assert simulate_node("esp32", "Div", inputs, (np.int8, 0)).tolist() == [-128, 0]


@pytest.mark.parametrize("op_type", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_comparisons_look_at_raw_integers(op_type: str) -> None:
    got = simulate_node("esp32", op_type, pair([1, 2, 3], [2, 2, 2]), (np.bool_, 0))
    expected = {
        "Equal": [False, True, False],
        "Greater": [False, False, True],
        "GreaterOrEqual": [False, True, True],
        "Less": [True, False, False],
        "LessOrEqual": [True, True, False],
    }
    assert got.dtype == np.bool_
    assert got.tolist() == expected[op_type]


@pytest.mark.parametrize(
    ("left", "right", "inner"),
    [
        ((2, 3, 16), (2, 3, 16), (96, 96)),
        ((1, 80), (1, 1), (80, 1)),
        ((3, 5, 17), (1, 5, 1), (17, 1)),
        ((4, 1), (1, 6), (1, 6)),
        ((1, 8, 8, 16), (16,), (16, 16)),
        ((5,), (), (5, 1)),
    ],
)
def test_axes_merge_as_the_kernels_merge_them(
    left: tuple[int, ...], right: tuple[int, ...], inner: tuple[int, int]
) -> None:
    found = merged(left, right)
    assert (found.left, found.right) == inner
    assert found.inner == max(inner)


def test_shapes_that_do_not_broadcast_are_named() -> None:
    with pytest.raises(ModelError, match=r"\(2,\) and \(3,\) do not broadcast"):
        merged((2,), (3,))


def test_more_than_four_loops_are_refused() -> None:
    with pytest.raises(ModelError, match="5 nested loops"):
        merged((2, 1, 2, 1, 2), (1, 2, 1, 2, 1))
