"""Errata of exponents: who ignores them, and which kernels hold them in too few bits."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import DType
from tests.analysis.models import model, node, value
from tests.errata.catalogue import shows
from tests.errata.judges import (
    ALL,
    VECTOR,
    both,
    kinds,
    noted,
    pair,
    quantize_keeps,
    refused,
    single,
)


@shows("unequal exponents")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("kind", ["Add", "Sub", "Less", "Equal"])
def test_raw_arithmetic_on_two_exponents_is_refused_by_preflight(kind, target):
    out = DType.BOOL if kind in ("Less", "Equal") else DType.INT8
    lowered = pair(kind, ((1, 8), (1, 8)), (-5, -6, -5), out=out)
    noted(lowered, target, "different exponents")


@shows("unequal exponents")
def test_a_difference_of_tiny_int16_scales_counts_too():
    lowered = pair("Add", ((1, 8), (1, 8)), (-16, -17, -16), DType.INT16)
    noted(lowered, "esp32", "different exponents")


@shows("unequal exponents")
def test_joining_and_copying_between_exponents_is_refused_by_preflight():
    joined = model(
        [node("Concat", ["a", "b"], ["y"], axis=0)],
        [value("a", (2, 4)), value("b", (2, 4)), value("y", (4, 4), -4)],
        (),
        None,
    )
    noted(joined, "esp32p4", "different exponents")
    for kind, rest in (
        ("Transpose", {"perm": [1, 0]}),
        ("Neg", {}),
        ("Flatten", {"axis": 1}),
    ):
        noted(single(kind, (2, 2), (2, 2), (-5, -6), **rest), "esp32s3", "different exponents")


@shows("unequal exponents")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("bits", [8, 16])
def test_quantize_brings_operands_to_one_exponent_first(target, bits):
    body = (
        "g (float[1,8] x, float[1,8] x2) => (float y, float z) <float s = {0.01}>"
        " { t = Mul(x2, s) y = Add(x, t) z = Concat<axis = 1>(x, t) }"
    )
    quantize_keeps(body, target, bits)


@shows("exponent range")
@pytest.mark.parametrize("exponent", [31, -31])
def test_an_exponent_beyond_the_shift_of_an_int_is_refused_by_preflight(exponent):
    lowered = single("Relu", (1, 4), (1, 4), (exponent, exponent), types=(DType.INT16, DType.INT16))
    noted(lowered, "esp32", "an exponent of magnitude 31")


@shows("ReduceL2 exponent")
@pytest.mark.parametrize("target", ALL)
def test_squares_of_a_small_scale_are_refused(target):
    def lowered(exponent: int):
        types = (DType.INT16, DType.INT16)
        return single("ReduceL2", (1, 4), (1,), (exponent, -10), types=types, keepdims=0)

    refused(lowered(-16), target, "shifts 1 by twice")
    both(lowered(-15), target, {"x": np.full((1, 4), 77, np.int16)})


LIMITS = [
    ("esp32s3", DType.INT8, DType.INT8, 6),
    ("esp32s3", DType.INT8, DType.INT16, 14),
    ("esp32s3", DType.INT16, DType.INT8, 4),
    ("esp32p4", DType.INT8, DType.INT8, 14),
    ("esp32p4", DType.INT8, DType.INT16, 14),
    ("esp32p4", DType.INT16, DType.INT8, 14),
]


@shows("requantize left")
@pytest.mark.parametrize(("target", "given", "wanted", "limit"), LIMITS)
def test_a_requantization_is_exact_up_to_the_kernels_limit_and_refused_beyond(
    target, given, wanted, limit
):
    def lowered(left: int):
        return single("RequantizeLinear", (1, 64), (1, 64), (0, -left), types=(given, wanted))

    x = np.arange(-32, 32, dtype=given.numpy).reshape(1, 64)
    y = both(lowered(limit), target, {"x": x})["y"]
    info = np.iinfo(wanted.numpy)
    np.testing.assert_array_equal(y, np.clip(x.astype(int) << limit, info.min, info.max))
    refused(lowered(limit + 1), target, f"right up to {limit}")


@shows("requantize left")
def test_a_small_tensor_takes_the_float_path_which_has_no_limit():
    lowered = single("RequantizeLinear", (1, 50), (1, 50), (0, -9))
    y = both(lowered, "esp32s3", {"x": np.ones((1, 50), np.int8)})["y"]
    assert set(y.ravel().tolist()) == {127}


@shows("requantize rest")
def test_eight_elements_that_are_never_written_are_refused():
    def lowered(size: int):
        types = (DType.INT8, DType.INT16)
        return single("RequantizeLinear", (1, size), (1, size), (-5, -4), types=types)

    refused(lowered(56), "esp32s3", "does not write the last 8")
    for size in (48, 57, 64):
        both(lowered(size), "esp32s3", {"x": np.ones((1, size), np.int8)})
    both(lowered(56), "esp32p4", {"x": np.ones((1, 56), np.int8)})


def slopes(e_x: int, e_y: int, dtype: DType, alpha: int = 5, e_alpha: int = 0):
    tensor = Tensor.of("alpha", np.full((16, 1, 1), alpha, dtype.numpy), exponents=(e_alpha,))
    return single("PRelu", (1, 2, 2, 16), (1, 2, 2, 16), (e_x, e_y), (tensor,), (dtype, dtype))


@shows("PRelu byte")
@pytest.mark.parametrize("target", VECTOR)
def test_the_output_scale_of_a_slope_fits_one_byte_or_is_refused(target):
    x = {"x": np.ones((1, 2, 2, 16), np.int8)}
    assert both(slopes(0, -6, DType.INT8, e_alpha=-7), target, x)["y"].max() == 64
    refused(slopes(0, -7, DType.INT8, e_alpha=-8), target, "smaller by 7")


@shows("PRelu floor")
def test_a_slope_floors_where_the_kernel_shifts_and_rounds_where_it_rounds():
    x = {"x": np.full((1, 2, 2, 16), -3, np.int8)}
    wide = {"x": np.full((1, 2, 2, 16), -3, np.int16)}
    for target, wanted in (("esp32", -8), ("esp32s3", -7), ("esp32p4", -8)):
        assert both(slopes(-1, 0, DType.INT8), target, x)["y"].min() in (wanted,)
        assert both(slopes(-1, 0, DType.INT16), target, wide)["y"].min() == -8


@shows("PRelu floor")
@pytest.mark.parametrize("target", ["esp32", "esp32s3", "esp32p4"])
def test_positive_values_that_would_keep_a_wrong_scale_are_refused_by_preflight(target):
    noted(slopes(-4, -5, DType.INT16), target, "different exponents")


@shows("PRelu floor", "PRelu byte")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("bits", [8, 16])
def test_quantize_gives_slopes_one_exponent(target, bits):
    body = "g (float[1,16,4,4] x, float[16,1,1] a) => (float y) { y = PRelu(x, a) }"
    lowered = quantize_keeps(body, target, bits)
    (item,) = [n for n in lowered.nodes if n.op_type == "PRelu"]
    e_x, e_y = (lowered.values[n].exponent for n in (item.inputs[0], item.outputs[0]))
    assert e_x == e_y
    assert kinds(lowered)
