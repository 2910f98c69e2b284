"""The chip's arithmetic against definitions in unbounded integers, one addition at a time."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.errors import ModelError
from espdl_hil.numerics import (
    DenseMac,
    DepthwiseMac,
    MacParameters,
    quantize,
    round_float,
    saturate,
    shift_round,
    wrap,
)
from espdl_hil.targets import Overflow, Rounding, Target, target_named

ROUNDINGS = st.sampled_from(list(Rounding))
INT64 = st.integers(-(2**63), 2**63 - 1)
TARGETS = st.sampled_from([target_named(name) for name in ("esp32", "esp32s3", "esp32p4")])


def rounded(value: Fraction, rounding: Rounding) -> int:
    return floor(value + Fraction(1, 2)) if rounding is Rounding.HALF_UP else round(value)


@given(st.lists(INT64, min_size=1, max_size=8), st.integers(0, 80), ROUNDINGS)
def test_a_right_shift_divides_and_rounds(
    values: list[int], shift: int, rounding: Rounding
) -> None:
    got = shift_round(np.array(values, dtype=np.int64), shift, rounding)
    assert got.tolist() == [rounded(Fraction(value, 2**shift), rounding) for value in values]


@given(st.lists(INT64, min_size=1, max_size=8), st.integers(1, 61), ROUNDINGS)
def test_a_left_shift_never_changes_the_sign_and_saturates(
    values: list[int], shift: int, rounding: Rounding
) -> None:
    got = saturate(shift_round(np.array(values, dtype=np.int64), -shift, rounding), np.int16)
    expected = [max(-32768, min(32767, value << shift)) for value in values]
    assert got.tolist() == expected


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=6), ROUNDINGS)
def test_shifts_may_differ_by_channel(values: list[int], rounding: Rounding) -> None:
    shifts = np.arange(len(values), dtype=np.int64)
    got = shift_round(np.array(values, dtype=np.int64), shifts, rounding)
    assert got.tolist() == [
        rounded(Fraction(value, 2**shift), rounding) for shift, value in enumerate(values)
    ]


@given(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=8), ROUNDINGS)
def test_halves_round_as_the_target_rounds_them(values: list[int], rounding: Rounding) -> None:
    halves = np.array(values, dtype=np.float32) / 2
    got = round_float(halves, rounding)
    assert got.tolist() == [rounded(Fraction(value, 2), rounding) for value in values]


def test_half_up_adds_one_half_in_float32() -> None:
    just_below = np.nextafter(np.float32(0.5), np.float32(0))
    assert round_float(np.array([just_below]), Rounding.HALF_UP) == [1.0]
    assert round_float(np.array([just_below]), Rounding.HALF_EVEN) == [0.0]


def test_half_even_in_double_takes_what_lies_just_beyond_a_tie_for_the_tie() -> None:
    near = np.array([2.5, 2.5 + 4e-7, 3.5 - 4e-7, 3.5, -2.5 - 4e-7, 2.5 + 1e-5])
    assert round_float(near, Rounding.HALF_EVEN).tolist() == [2.0, 2.0, 3.0, 4.0, -2.0, 3.0]


@given(st.lists(INT64, min_size=1, max_size=8), st.integers(2, 64))
def test_wrapping_keeps_the_low_bits(values: list[int], bits: int) -> None:
    got = wrap(np.array(values, dtype=np.int64), bits).tolist()
    for value, kept in zip(values, got, strict=True):
        assert (value - kept) % 2**bits == 0
        assert -(2 ** (bits - 1)) <= kept < 2 ** (bits - 1)


def test_quantizing_saturates_at_the_rails() -> None:
    values = np.array([-1e30, -128.6, 127.4, 127.6, 1e30], dtype=np.float32)
    for rounding in Rounding:
        assert quantize(values, np.int8, rounding).tolist() == [-128, -128, 127, 127, 127]


# --- multiply-accumulate ----------------------------------------------------------------------


def accumulated(
    start: int, terms: list[int], bits: int, overflow: Overflow, step: int, channels: int
) -> int:
    """The register after all terms; ``step`` products of one position are added at once."""
    low, high, modulus = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 2**bits
    acc = (start - low) % modulus + low
    for position in range(0, len(terms), channels):
        row = terms[position : position + channels]
        for at in range(0, channels, step):
            acc += sum(row[at : at + step])
            if overflow is Overflow.SATURATE:
                acc = max(low, min(high, acc))
            else:
                acc = (acc - low) % modulus + low
    return acc


def expected_outputs(
    x: np.ndarray, taps: np.ndarray, parameters: MacParameters, depthwise: bool
) -> np.ndarray:
    """Every output by the kernel's own sequence, in Python integers; ``x`` is [P, T(, N)]."""
    arithmetic = parameters.arithmetic
    channels = taps.shape[1]
    limits = np.iinfo(taps.dtype)
    block = arithmetic.filter_block
    tail_from = channels if depthwise else channels - channels % block
    out = np.zeros((len(x), channels), dtype=taps.dtype)
    for p, n in np.ndindex(out.shape):
        row = x[p, :, n] if depthwise else x[p]
        terms = [int(a) * int(b) for a, b in zip(row, taps[:, n], strict=True)]
        in_lane = n < tail_from
        accumulator = arithmetic.lane if in_lane else arithmetic.tail
        acc = accumulated(
            int(parameters.bias[n]),
            terms,
            accumulator.bits,
            accumulator.overflow,
            1 if in_lane else block,
            parameters.channels,
        )
        value = rounded(Fraction(acc, 2 ** int(parameters.shifts[n])), parameters.rounding)
        value = max(limits.min, min(limits.max, value))
        out[p, n] = max(0, value) if parameters.relu else value
    return out


def drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    limits = np.iinfo(dtype)
    kinds = (
        lambda: rng.integers(limits.min, limits.max + 1, shape),
        lambda: rng.choice([limits.min, limits.max, 0], shape),
        lambda: np.full(shape, limits.max),
        lambda: rng.integers(0, limits.max + 1, shape),
        lambda: rng.integers(-3, 4, shape),
    )
    return kinds[rng.integers(len(kinds))]().astype(dtype)


def drawn_bias(rng: np.random.Generator, channels: int, bits: int) -> np.ndarray:
    """Small, near the accumulator's limit, beyond it, or the most negative integer."""
    reach = min(63, int(rng.choice([8, bits - 1, bits, bits + 3])))
    bias = rng.integers(-(2**reach), 2**reach - 1, channels, dtype=np.int64, endpoint=True)
    bias[rng.random(channels) < 0.1] = -(2 ** min(63, bits - 1))
    return bias


def drawn_layer(
    seed: int, target: Target, dtype: type, depthwise: bool
) -> tuple[np.ndarray, MacParameters]:
    rng = np.random.default_rng(seed)
    bits = 8 * np.dtype(dtype).itemsize
    channels = 1 if depthwise else int(rng.choice([1, 3, 8, 9, 17, 24]))
    positions = int(rng.choice([1, 4, 9]))
    outputs = int(rng.choice([1, 7, 16, 17, 24]))
    inner = positions * channels
    arithmetic = target.mac[bits]
    parameters = MacParameters(
        taps=drawn(rng, (inner, outputs), dtype),
        bias=drawn_bias(
            rng, outputs, int(rng.choice([arithmetic.lane.bits, arithmetic.tail.bits]))
        ),
        shifts=rng.integers(0, 25, outputs).astype(np.int64),
        channels=channels,
        arithmetic=arithmetic,
        rounding=target.rounding,
        relu=bool(rng.integers(2)),
    )
    # Few rows are bounded one by one, more are bounded together first.
    rows = int(rng.choice([1, 3, 7]))
    shape = (rows, inner, outputs) if depthwise else (rows, inner)
    return drawn(rng, shape, dtype), parameters


@given(st.integers(0, 2**32), TARGETS, st.sampled_from([np.int8, np.int16]))
def test_a_dense_layer_is_the_kernels_sequence(seed: int, target: Target, dtype: type) -> None:
    x, parameters = drawn_layer(seed, target, dtype, depthwise=False)
    layer = DenseMac(parameters)
    peak = int(np.abs(x.astype(np.int64)).max())
    got = layer.run(x.astype(layer.type_for(peak)), peak)
    np.testing.assert_array_equal(got, expected_outputs(x, parameters.taps, parameters, False))


@given(st.integers(0, 2**32))
def test_a_layer_that_met_small_inputs_is_exact_for_large_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, parameters = drawn_layer(seed, target_named("esp32s3"), np.int8, depthwise=False)
    layer = DenseMac(parameters)
    for inputs in (x // 64, x, x // 2, rng.permuted(x, axis=1)):
        peak = int(np.abs(inputs.astype(np.int64)).max())
        got = layer.run(inputs.astype(layer.type_for(peak)), peak)
        expected = expected_outputs(inputs, parameters.taps, parameters, False)
        np.testing.assert_array_equal(got, expected)


@given(st.integers(0, 2**32), TARGETS, st.sampled_from([np.int8, np.int16]))
def test_a_depthwise_layer_is_the_kernels_sequence(seed: int, target: Target, dtype: type) -> None:
    x, parameters = drawn_layer(seed, target, dtype, depthwise=True)
    layer = DepthwiseMac(parameters)
    peak = int(np.abs(x.astype(np.int64)).max())
    wide = x.astype(layer.type_for(peak))
    got = layer.run(lambda tap: wide[:, tap], peak)
    np.testing.assert_array_equal(got, expected_outputs(x, parameters.taps, parameters, True))


def test_the_order_of_additions_decides_what_a_20_bit_lane_holds() -> None:
    """36 products of +16129 and then 12 of -16129: saturated on the way up, not at the end."""
    target = target_named("esp32s3")
    taps = np.full((48, 17), 127, dtype=np.int8)
    x = np.concatenate([np.full(36, 127), np.full(12, -127)]).astype(np.int8)[None]
    parameters = MacParameters(
        taps=taps,
        bias=np.zeros(17, dtype=np.int64),
        shifts=np.full(17, 12, dtype=np.int64),
        channels=48,
        arithmetic=target.mac[8],
        rounding=target.rounding,
        relu=False,
    )
    layer = DenseMac(parameters)
    got = layer.run(x.astype(layer.type_for(127)), 127)
    assert got.tolist() == [[81] * 16 + [95]]  # the last channel sums in the 40-bit tail


def test_more_products_than_a_double_holds_are_refused() -> None:
    target = target_named("esp32p4")
    taps = np.broadcast_to(np.int16(-32768), (1 << 23, 1))
    parameters = MacParameters(
        taps=taps,
        bias=np.zeros(1, dtype=np.int64),
        shifts=np.zeros(1, dtype=np.int64),
        channels=1 << 23,
        arithmetic=target.mac[16],
        rounding=target.rounding,
        relu=False,
    )
    with pytest.raises(ModelError, match="too many"):
        DenseMac(parameters).type_for(32768)
