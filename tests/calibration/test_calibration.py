"""Calibration: what is seen, what is chosen from it, and what is said of bad data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from espdl_hil.calibration.collect import collect
from espdl_hil.calibration.observers import SAVING, Observer, choose_exponent, fitting_exponent
from espdl_hil.calibration.ranges import BINS, LOWEST_LIMIT, Range, RangeRecorder
from espdl_hil.calibration.samples import Samples
from espdl_hil.errors import ModelError
from espdl_hil.frontend.onnx_import import import_onnx
from tests.support.onnx_models import model_of

floats = st.floats(-1e6, 1e6, width=32)
arrays = hnp.arrays(np.float32, st.integers(1, 40), elements=floats)


def recorded(parts) -> Range:
    recorder = RangeRecorder(histogram=True)
    for part in parts:
        recorder.add(part)
    return recorder.result()


@settings(deadline=None, derandomize=True)
@given(st.lists(arrays, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_and_grouping_of_samples_change_nothing(parts, random):
    shuffled = list(parts)
    random.shuffle(shuffled)
    one, other, whole = recorded(parts), recorded(shuffled), recorded([np.concatenate(parts)])
    for seen in (other, whole):
        assert (seen.lowest, seen.highest, seen.limit) == (one.lowest, one.highest, one.limit)
        np.testing.assert_array_equal(seen.counts, one.counts)


@settings(deadline=None, derandomize=True)
@given(st.lists(arrays, min_size=1, max_size=5), arrays, st.sampled_from([8, 16]))
def test_more_samples_never_shrink_a_minmax_range(parts, more, bits):
    before, after = recorded(parts), recorded([*parts, more])
    assert after.lowest <= before.lowest
    assert after.highest >= before.highest
    first = choose_exponent(before, bits, Observer.MINMAX)
    if before.magnitude > 0.0:
        assert choose_exponent(after, bits, Observer.MINMAX) >= first


@settings(deadline=None, derandomize=True)
@given(arrays)
def test_the_histogram_counts_every_magnitude_in_its_bin(array):
    seen = recorded([array])
    assert seen.counts.sum() == array.size
    if seen.magnitude:
        assert seen.magnitude < 2.0**seen.limit
        assert seen.limit == LOWEST_LIMIT or seen.magnitude >= 2.0 ** (seen.limit - 1)
        width = 2.0**seen.limit / BINS
        expected = np.zeros(BINS, dtype=np.int64)
        for value in np.abs(array.astype(np.float64)):
            expected[int(value / width)] += 1
        np.testing.assert_array_equal(seen.counts, expected)


@given(st.floats(1e-3, 1e6), st.sampled_from([8, 16]))
def test_the_fitting_exponent_is_the_smallest_that_saturates_at_most_half_a_step(magnitude, bits):
    exponent = fitting_exponent(magnitude, bits)
    top = 2 ** (bits - 1) - 0.5
    assert magnitude <= top * 2.0**exponent * (1 + 1e-12)
    assert magnitude > top * 2.0 ** (exponent - 1) * (1 - 1e-12)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(arrays, min_size=1, max_size=3), st.sampled_from(Observer), st.sampled_from([8, 16])
)
def test_no_observer_asks_for_more_range_than_was_seen(parts, observer, bits):
    seen = recorded(parts)
    chosen = choose_exponent(seen, bits, observer)
    assert -30 <= chosen <= choose_exponent(seen, bits, Observer.MINMAX)


@pytest.mark.parametrize("observer", [Observer.PERCENTILE, Observer.KL, Observer.MSE])
def test_one_outlier_in_a_million_does_not_cost_a_bit(observer):
    values = np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)
    calm = choose_exponent(recorded([np.clip(values, -3.9, 3.9)]), 8, observer)
    values[123] = 60.0
    assert choose_exponent(recorded([values]), 8, observer) <= calm + 1
    assert choose_exponent(recorded([values]), 8, Observer.MINMAX) >= calm + 3


def test_mse_is_the_best_exponent_by_trial():
    rng = np.random.default_rng(3)
    for values in (rng.standard_normal(20000), rng.laplace(size=20000), rng.uniform(-3, 3, 20000)):
        chosen = choose_exponent(recorded([values.astype(np.float32)]), 8, Observer.MSE)
        errors = {}
        for exponent in range(-9, 1):
            step = 2.0**exponent
            rounded = np.clip(np.rint(values / step), -128, 127) * step
            errors[exponent] = float(np.mean((values - rounded) ** 2))
        assert chosen == min(errors, key=errors.get)


@given(st.lists(arrays, min_size=1, max_size=3), st.sampled_from([8, 16]))
def test_mse_lets_nothing_saturate_for_less_than_half_of_the_error(parts, bits):
    seen = recorded(parts)
    chosen, widest = (choose_exponent(seen, bits, one) for one in (Observer.MSE, Observer.MINMAX))
    if chosen < widest:
        values = np.concatenate([part.reshape(-1) for part in parts]).astype(np.float64)
        top = 2 ** (bits - 1)
        errors = [
            float(
                np.square(values - np.clip(np.rint(values / 2.0**e), -top, top - 1) * 2.0**e).sum()
            )
            for e in (chosen, widest)
        ]
        # The histogram knows a value to a bin, the rounding error of a few values by its mean.
        slack = values.size * 4.0**widest
        assert errors[0] <= SAVING * errors[1] + slack


def test_a_distribution_without_a_long_end_keeps_its_range():
    """Few samples show its end by chance: what saves little on them costs more on others."""
    values = np.random.default_rng(3).uniform(-2.2, 2.2, 20000).astype(np.float32)
    seen = recorded([values])
    assert choose_exponent(seen, 8, Observer.MSE) == choose_exponent(seen, 8, Observer.MINMAX)


def test_a_value_that_is_always_zero_gets_a_plain_exponent():
    assert choose_exponent(recorded([np.zeros(5, np.float32)]), 8, Observer.KL) == -7


GRAPH = import_onnx(
    model_of(
        "g (float[1,3,4] x, float[1,2] x2) => (float y, float z) { y = Relu(x) z = Tanh(x2) }"
    ).SerializeToString()
)
GOOD = {"x": np.ones((2, 3, 4)), "x2": np.arange(4.0).reshape(2, 1, 2)}
NAN = np.ones((3, 3, 4), dtype=np.float32)
NAN[1, 2, 3] = np.nan


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"x": GOOD["x"]}, r"'x2': no calibration data"),
        ({**GOOD, "extra": np.ones((2, 1))}, r"'extra': calibration data for an input that the"),
        ({**GOOD, "x": np.ones((2, 3, 5))}, r"'x': a calibration sample has shape \[3, 5\]"),
        ({**GOOD, "x": np.ones((0, 3, 4))}, r"'x': calibration data is empty"),
        ({**GOOD, "x": np.float32(1)}, r"'x': calibration data is empty"),
        ({**GOOD, "x": np.array([["a"]])}, r"'x': calibration data has dtype <U1"),
        ({**GOOD, "x": np.ones((5, 3, 4))}, r"different numbers of samples"),
        ({**GOOD, "x": NAN}, r"'x': calibration sample 1 contains NaN or infinity \(1 of 3"),
        ({**GOOD, "x": np.full((2, 3, 4), 1e300)}, r"'x': calibration sample 0 contains NaN"),
    ],
)
def test_bad_data_is_named_by_input_and_sample(data, reason):
    with pytest.raises(ModelError, match=reason):
        Samples.of(GRAPH, data)


def test_samples_may_come_with_their_batch_dimension_and_in_any_real_type():
    plain = Samples.of(GRAPH, GOOD)
    batched = Samples.of(GRAPH, {"x": GOOD["x"][:, None].astype(np.float16), "x2": GOOD["x2"]})
    for one, other in zip(plain, batched, strict=True):
        for name, array in one.items():
            assert array.dtype == np.float32
            assert array.shape == GRAPH.types[name].shape
            np.testing.assert_array_equal(array, other[name])


def test_equal_seeds_give_equal_random_samples():
    one, same, other = (Samples.random(GRAPH, 3, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.arrays["x"], same.arrays["x"])
    assert not np.array_equal(one.arrays["x"], other.arrays["x"])


def test_what_overflows_in_the_float_model_is_named():
    def evaluate(sample):
        return {"t": np.array([np.inf if sample["i"] else 1.0], dtype=np.float32)}

    with pytest.raises(ModelError, match=r"'t': .*NaN or infinity for sample 1"):
        collect(evaluate, [{"i": 0}, {"i": 1}], ["t"], histogram=True)
