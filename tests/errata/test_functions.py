"""Errata of functions computed in float: tables, exponentials, roots, quotients, bounds."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.analysis import Severity, preflight
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import DType
from espdl_hil.runs import Engine
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.errata.catalogue import shows
from tests.errata.judges import (
    ALL,
    both,
    kinds,
    noted,
    pair,
    quantize_keeps,
    quantize_refuses,
    refused,
    single,
)

INT16 = (DType.INT16, DType.INT16)
FLOATS = (DType.FLOAT, DType.FLOAT)


@shows("int16 table")
@pytest.mark.parametrize("target", ALL)
def test_an_int16_activation_computes_whatever_its_table_says(target):
    table = Tensor.of("table", np.zeros(257, np.int16), exponents=(-15,))
    lowered = single("Sigmoid", (1, 4), (1, 4), (-10, -15), (table,), INT16, lut="table")
    y = both(lowered, target, {"x": np.array([[0, 1024, -1024, 32767]], np.int16)})["y"]
    assert y.ravel().tolist() == [16384, 23955, 8813, 32767]
    noted(lowered, target, "does not read", Severity.NOTE)


@shows("fast-math")
@pytest.mark.parametrize("target", ALL)
def test_what_the_compiler_decides_is_said_of_that_node_only(target):
    lowered = single("LayerNormalization", (1, 6), (1, 6), axis=-1)
    rules = Simulator(lowered, target_named(target)).rules(Engine.ESPDL)
    assert list(rules) == ["y"]
    assert rules["y"].steps == 1
    assert rules["y"].why
    exact = pair("Add", ((1, 6), (1, 6)))
    assert Simulator(exact, target_named(target)).rules(Engine.ESPDL) == {}


@shows("exponentials")
@pytest.mark.parametrize("target", ALL)
def test_exponentials_of_large_int8_values_are_infinite_in_files_and_refused_by_quantize(target):
    lowered = single("Softmax", (1, 4), (1, 4), (0, 0), types=(DType.INT8, DType.FLOAT), axis=1)
    x = np.array([[127, 0, 0, 0]], np.int8)
    y = Simulator(lowered, target_named(target)).run({"x": x})["y"]
    assert np.isnan(y[0, 0])
    noted(lowered, target, "infinite above 88", Severity.WARNING)
    body = "g (float[1,10] x) => (float y) <float c = {100.0}> { t = Mul(x, c) y = Softmax(t) }"
    quantize_refuses(body, target, "overflows")


@shows("Newton root")
@pytest.mark.parametrize("target", ALL)
def test_a_small_root_stops_early_as_the_board_does(target):
    lowered = single("ReduceL2", (1, 1), (1,), (-15, -20), types=INT16, keepdims=0)
    last = np.float32(2.0**-30)
    while True:
        found = np.float32(np.float64(last + np.float32(2.0**-30) / last) * 0.5)
        if abs(found - last) <= np.float32(1e-5):
            break
        last = found
    wanted = int(np.floor(found * 2.0**20 + 0.5))
    assert wanted != 32, "the true root"
    assert both(lowered, target, {"x": np.ones((1, 1), np.int16)})["y"].tolist() == [wanted]


@shows("frozen divisor")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("shapes", [((1, 8), (1, 1)), ((1,), (1, 8))])
def test_a_divisor_that_the_runtime_would_keep_is_warned_of_and_spread_by_quantize(shapes, target):
    noted(pair("Div", shapes), target, "first run", Severity.WARNING)
    sizes = [",".join(map(str, shape)) for shape in shapes]
    body = f"g (float[{sizes[0]}] x, float[{sizes[1]}] x2) => (float y) {{ y = Div(x, x2) }}"
    made = quantize_defined(body, target, 8)
    found = preflight(made, target_named(target))
    assert not [finding for finding in found if "first run" in finding.what]


@shows("frozen divisor")
@pytest.mark.parametrize("target", ALL)
def test_sixteen_bits_and_constants_divide_right(target):
    body = "g (float[1,6] x) => (float y) <float c = {3.0}> { y = Div(x, c) }"
    quantize_keeps(body, target)
    wide = pair("Div", ((1, 8), (1, 1)), dtype=DType.INT16)
    given = {"a": np.full((1, 8), 96, np.int16), "b": np.full((1, 1), 64, np.int16)}
    assert set(both(wide, target, given)["y"].ravel().tolist()) == {48}


@shows("float Clip")
@pytest.mark.parametrize("target", ALL)
def test_a_float_clip_without_lower_bound_is_refused(target):
    high = Tensor.of("high", np.array([1], np.float32))
    lowered = single("Clip", (1, 4), (1, 4), (0, 0), (Tensor.of("", np.zeros(0)), high), FLOATS)
    lowered.parameters.pop("", None) if isinstance(lowered.parameters, dict) else None
    refused(lowered, target, "smallest positive")


@shows("undefined logarithm")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("kind", ["Log", "Sqrt"])
def test_functions_are_kept_where_they_are_defined(kind, target):
    body = f"g (float[1,20] x) => (float y) {{ t = Mul(x, x) y = {kind}(t) }}"
    data = quantize_defined(body, target, 16)
    assert kinds(data).index("Clip") < kinds(data).index(kind)
    assert "Clip" not in kinds(quantize_defined(body, target, 8))


def quantize_defined(body: str, target: str, bits: int):
    """Without a look at the signal: a logarithm near 0 has no bounded error."""
    from tests.quantizer.test_every_operator import assert_equal_in_the_c_engine
    from tests.quantizer.test_straight_line import quantized

    _, result, _ = quantized(body, target, bits)
    assert_equal_in_the_c_engine(result)
    return result.model
