"""Comparisons: to the last bit, unless a rule says by how much a value may differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from espdl_hil.ir.freedom import FLOAT_TOLERANCE, Rule
from espdl_hil.results.compare import compare, digest_of

INTEGERS = hnp.arrays(
    st.sampled_from([np.int8, np.int16, np.int32, np.int64, np.uint8]),
    hnp.array_shapes(max_dims=4, max_side=5),
)


@given(INTEGERS)
def test_an_array_equals_itself(array):
    comparison = compare("v", array, array.copy())
    assert comparison.equal
    assert comparison.mismatches == 0
    assert comparison.first_index is None
    assert comparison.sqnr_db == math.inf


@given(INTEGERS, st.data())
def test_one_changed_element_is_found_where_it_is(array, data):
    index = tuple(data.draw(st.integers(0, side - 1)) for side in array.shape)
    limits = np.iinfo(array.dtype)
    value = data.draw(st.integers(limits.min, limits.max).filter(lambda v: v != array[index]))
    changed = array.copy()
    changed[index] = value
    comparison = compare("v", array, changed)
    assert not comparison.equal
    assert comparison.mismatches == 1
    assert comparison.first_index == index
    assert comparison.max_lsb == abs(int(value) - int(array[index]))


@given(INTEGERS)
def test_digests_of_equal_bytes_are_equal_whatever_the_memory_order(array):
    assert digest_of(np.asfortranarray(array)) == digest_of(array)


def test_a_digest_is_the_published_xxh64_of_the_bytes():
    assert digest_of(np.zeros(0, np.int8)) == "ef46db3751d8e999"
    assert digest_of(np.frombuffer(b"abc", np.int8)) == "44bc2cf5ad770999"


@pytest.mark.parametrize(
    ("expected", "got", "equal"),
    [
        (0.5, 0.5 + 0.9 * FLOAT_TOLERANCE, True),
        (0.5, 0.5 + 1.2 * FLOAT_TOLERANCE, False),
        (1000.0, 1000.0 + 900 * FLOAT_TOLERANCE, True),
        (1000.0, 1000.0 + 1200 * FLOAT_TOLERANCE, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 0.0, False),
        (0.0, math.inf, False),
        (math.nan, math.nan, True),
        (0.0, math.nan, False),
        (math.nan, 0.0, False),
    ],
)
def test_floats_have_the_tolerance_of_their_rule(expected, got, equal):
    rule = Rule(relative=FLOAT_TOLERANCE)
    comparison = compare("v", np.array([expected], np.float32), np.array([got], np.float32), rule)
    assert comparison.equal is equal
    assert comparison.max_lsb == 0
    assert comparison.allowed == (equal and expected != got and not math.isnan(expected))


def test_without_a_rule_a_float_has_no_tolerance():
    one = np.ones(1, np.float32)
    assert compare("v", one, one).equal
    assert not compare("v", one, np.nextafter(one, np.float32(2))).equal
    assert compare("v", -0.0 * one, 0.0 * one).equal


@given(INTEGERS, st.integers(0, 3), st.data())
def test_a_rule_allows_as_many_steps_as_it_says_and_counts_them(array, steps, data):
    index = tuple(data.draw(st.integers(0, side - 1)) for side in array.shape)
    limits = np.iinfo(array.dtype)
    value = data.draw(st.integers(limits.min, limits.max))
    changed = array.copy()
    changed[index] = value
    distance = abs(int(value) - int(array[index]))
    comparison = compare("v", array, changed, Rule(steps=steps))
    assert comparison.equal is (distance <= steps)
    assert comparison.allowed == (0 < distance <= steps)
    assert comparison.mismatches == (distance > steps)
    assert comparison.max_lsb == distance


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (np.zeros((2, 3), np.int8), np.zeros((3, 2), np.int8)),
        (np.zeros(1, np.int8), np.zeros((), np.int8)),
        (np.zeros(4, np.int8), np.zeros(4, np.int16)),
        (np.zeros(4, np.int8), np.zeros(4, np.float32)),
    ],
)
def test_shape_and_type_are_never_adapted(expected, got):
    comparison = compare("v", expected, got)
    assert not comparison.equal
    assert comparison.mismatches == expected.size
    assert str(got.dtype) in str(comparison)


def test_the_text_names_count_size_and_first_coordinates():
    expected = np.zeros((2, 3), np.int16)
    got = expected.copy()
    got[0, 2], got[1, 1] = 7, -9
    assert str(compare("v", expected, got)) == (
        "2 of 6 elements differ, max 9 LSB; first: [0, 2] expected 0, got 7; "
        "[1, 1] expected 0, got -9"
    )


def test_extremes_of_64_bits_do_not_overflow():
    limits = np.iinfo(np.int64)
    comparison = compare("v", np.array([limits.min]), np.array([limits.max]))
    assert comparison.max_lsb == 2**64 - 1
