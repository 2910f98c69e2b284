"""Bounds hold, and what inputs reach is what an accumulator would have seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.analysis import headroom
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import DType
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Overflow, target_named
from tests.analysis import models
from tests.support.random_models.products import conv, gemm, matmul

S3, P4, C = (target_named(name) for name in ("esp32s3", "esp32p4", "esp32"))


def _by_hand(bias: int, products: np.ndarray, bits: int) -> tuple[int, bool]:
    """The largest magnitude on the way through exact sums, and whether it leaves the register."""
    partial, extreme, left = int(bias), abs(int(bias)), False
    for product in products:
        partial += int(product)
        extreme = max(extreme, abs(partial))
        left |= not -(1 << bits - 1) <= partial < 1 << bits - 1
    return extreme, left


@given(st.integers(0, 2**32), st.sampled_from([S3, P4, C]), st.sampled_from([8, 16]))
def test_no_input_goes_beyond_the_bound_and_what_is_reached_was_seen(seed, target, bits):
    rng = np.random.default_rng(seed)
    inner, channels = (int(n) for n in rng.integers(1, 40, 2))
    limits = np.iinfo(f"<i{bits // 8}")
    weights = rng.integers(limits.min, limits.max + 1, (inner, channels)).astype(limits.dtype)
    bias = rng.integers(-(1 << 18), 1 << 18, channels)
    x = rng.choice([limits.min, limits.max, 0, 1], (1, inner)).astype(limits.dtype)
    lowered = models.gemm(weights, target, bias=bias, exponents={"y": 5})
    rows = headroom(lowered, target, [{"x": x}])
    blocked = channels - channels % target.mac[bits].filter_block
    assert sum(row.channels for row in rows) == channels
    for row in rows:
        part = range(blocked, channels) if row.tail else range(blocked)
        extremes, lefts = [], []
        for n in part:
            products = x[0].astype(np.int64) * weights[:, n]
            extreme, left = _by_hand(bias[n], products, row.accumulator.bits)
            extremes.append(extreme)
            lefts.append(left)
        assert max(extremes) <= row.reached <= row.bound
        if row.accumulator.overflow is Overflow.SATURATE and not row.tail:
            assert row.left == sum(lefts)
        assert {n for n, left in zip(part, lefts, strict=True) if left} <= set(row.at_risk)
        assert (row.bits_free < 0) <= bool(row.at_risk)
        if not row.at_risk:
            assert row.left == 0


@pytest.mark.parametrize("family", [conv, gemm, matmul])
def test_what_random_layers_reach_never_exceeds_their_bound(family):
    at_risk = 0
    for seed in range(200):
        for target in (S3, P4, C):
            case = family(np.random.default_rng(seed), target, 8)
            for row in headroom(case.model, target, [case.inputs]):
                at_risk += bool(row.at_risk)
                if row.reached is not None:
                    assert row.reached <= row.bound
                    assert row.left == 0 or row.at_risk
    assert at_risk, "no layer of these can leave its accumulator: the test shows nothing"


def test_the_twenty_bit_lane_saturates_where_the_tail_does_not():
    weights = np.repeat(np.array([[127]] * 36 + [[-127]] * 12, dtype=np.int8), 17, axis=1)
    lowered = models.gemm(weights, S3, exponents={"y": 0})
    x = np.full((1, 48), 127, dtype=np.int8)
    lane, tail = headroom(lowered, S3, [{"x": x}])
    assert (lane.left, lane.channels, len(lane.at_risk)) == (16, 16, 16)
    assert (tail.left, tail.channels, tail.at_risk) == (0, 1, ())
    assert lane.reached == 36 * 127 * 127
    got = Simulator(lowered, S3).run({"x": x})["y"]
    assert (got[0, 0], got[0, 16]) == (81, 95)


def test_a_layer_behind_a_relu_has_one_bit_more():
    rng = np.random.default_rng(3)
    weights = rng.integers(-128, 128, (32, 32)).astype(np.int8)
    for relu in (False, True):
        first = models.gemm(weights, S3, relu=relu)
        second = models.node("Gemm", ["y", "w"], ["z"], **models.LINEAR)
        lowered = models.model(
            [*first.nodes, second],
            [*first.values.values(), models.value("z", (1, 32), 0)],
            list(first.parameters.values()),
        )
        bounds = {row.node: row.bound for row in headroom(lowered, S3)}
        taps = weights.astype(int)
        positive, negative = np.maximum(taps, 0).sum(axis=0), -np.minimum(taps, 0).sum(axis=0)
        if relu:
            expected = 127 * max(positive.max(), negative.max())
        else:
            expected = max(
                (127 * positive + 128 * negative).max(), (128 * positive + 127 * negative).max()
            )
        assert bounds["Gemm_z"] == expected


def test_without_inputs_nothing_is_said_to_be_seen():
    rows = headroom(models.gemm(np.ones((4, 4), dtype=np.int8), C), C)
    assert [(row.reached, row.left, row.bits_seen) for row in rows] == [(None, None, None)]


def test_a_wrapping_accumulator_is_watched_too():
    weights = np.full((1 << 12, 1), 32767, dtype=np.int16)
    bias = np.array([(1 << 62) + (1 << 61) + (1 << 60) + (1 << 59)])
    lowered = models.gemm(weights, C, bias=bias, exponents={"y": 20})
    x = np.full((1, 1 << 12), 32767, dtype=np.int16)
    (row,) = headroom(lowered, C, [{"x": x}])
    assert row.at_risk == ()
    lowered = models.gemm(weights.astype(np.int8), C, bias=np.array([2**31 - 1]))
    (row,) = headroom(lowered, C, [{"x": np.full((1, 1 << 12), -128, dtype=np.int8)}])
    assert (row.at_risk, row.left) == ((0,), 1)


def gru(weights: np.ndarray, target, steps: int = 2):
    """A GRU of 8 hidden elements over int16, state weights 1, no bias."""
    hidden, size = 8, weights.shape[1]
    kind = DType.INT16
    parameters = [
        Tensor.of("w", weights[None].astype(np.int16), exponents=(-15,)),
        Tensor.of("r", np.ones((1, 3 * hidden, hidden), np.int16), exponents=(-15,)),
        Tensor.of("b", np.zeros((1, 6 * hidden), np.int16), exponents=(-9,)),
    ]
    values = [
        models.value("x", (steps, 1, size), -15, kind),
        models.value("y", (steps, 1, 1, hidden), -15, kind),
        models.value("last", (1, 1, hidden), -15, kind),
    ]
    layer = models.node(
        "GRU",
        ("x", "w", "r", "b"),
        ("y", "last"),
        direction="forward",
        gate_exponent=-9,
        hidden_size=hidden,
        layout=0,
        linear_before_reset=1,
    )
    return models.model([layer], values, parameters, target.name)


@given(st.integers(0, 2**32), st.sampled_from([S3, P4]), st.sampled_from([8, 600, 1024]))
def test_gates_are_bounded_and_watched(seed, target, size):
    rng = np.random.default_rng(seed)
    weights = rng.choice([-32768, 32767, 32767, 5], (24, size)).astype(np.int64)
    x = np.full((2, 1, size), 32767, np.int16)
    x[1] = rng.choice([-32768, 32767], size)
    (row,) = headroom(gru(weights, target), target, [{"x": x}])
    assert (row.op_type, row.channels) == ("GRU", 48)
    bits = target.mac[16].tail.bits
    assert row.accumulator.bits == bits
    products = x[:, 0, None, :].astype(np.int64) * weights
    partial = np.cumsum(products.reshape(2, 24, -1, 8).sum(axis=3), axis=2)
    assert np.abs(partial).max() <= row.reached <= row.bound
    over = (partial >= 1 << bits - 1) | (partial < -(1 << bits - 1))
    assert row.left == int(over.any(axis=2).sum())
    assert set(np.flatnonzero(over.any(axis=(0, 2)))) <= set(row.at_risk)
    if size == 8:
        assert not row.at_risk
        assert row.left == 0


def test_gates_that_are_summed_in_float_have_no_accumulator():
    weights = np.full((24, 1024), 32767)
    assert headroom(gru(weights, S3), S3)
    assert headroom(gru(weights, C), C) == ()
    (row,) = headroom(gru(np.full((24, 1023), 32767), S3), S3)
    assert row.channels == 24, "the state's alone: 1023 inputs do not fill registers"
