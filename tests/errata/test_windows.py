"""Errata of sliding windows and of Resize."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import DType
from tests.errata.catalogue import shows
from tests.errata.judges import (
    ALL,
    VECTOR,
    both,
    conv,
    kinds,
    quantize_keeps,
    refused,
    single,
)

INT16 = (DType.INT16, DType.INT16)


def pool(kind: str, shape: tuple[int, ...], result: tuple[int, ...], **attributes: object):
    return single(kind, shape, result, **attributes)


@shows("strided window")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("kind", ["Conv", "MaxPool", "AveragePool"])
def test_a_strided_window_larger_than_its_input_is_refused(kind, target):
    window = {"strides": [2, 2], "pads": [0, 1, 0, 1]}
    if kind == "Conv":
        refused(conv((1, 2, 2, 16), **window), target, "reads past the tensor")
        return
    lowered = pool(kind, (1, 2, 2, 16), (1, 1, 1, 16), kernel_shape=[3, 3], **window)
    refused(lowered, target, "reads past the tensor")


@shows("strided window")
@pytest.mark.parametrize("target", ALL)
def test_the_same_window_on_an_input_that_it_fits_is_computed(target):
    lowered = conv((1, 2, 2, 16), strides=[2, 2], pads=[1, 1, 1, 1], exponents=(0, 0, 0))
    y = both(lowered, target, {"x": np.ones((1, 2, 2, 16), np.int8)})["y"]
    assert set(y.ravel().tolist()) == {64}


@shows("strided window")
@pytest.mark.parametrize("target", ALL)
def test_quantize_pads_the_input_so_that_the_window_fits(target):
    body = (
        "g (float[1,8,2,2] x, float[8,8,3,3] w) => (float y)"
        " { y = Conv<strides = [2,2], pads = [0,1,1,1]>(x, w) }"
    )
    quantize_keeps(body, target)


@shows("dilated border")
@pytest.mark.parametrize("target", ALL)
def test_a_dilated_window_in_the_padding_alone_is_refused(target):
    lowered = conv((1, 3, 3, 16), dilations=[4, 4], pads=[8, 8, 8, 8], kernel=(3, 3))
    refused(lowered, target, "computes garbage")
    touching = conv((1, 3, 3, 16), dilations=[2, 2], pads=[2, 2, 2, 2])
    both(touching, target, {"x": np.ones((1, 3, 3, 16), np.int8)})


@shows("count_include_pad")
@pytest.mark.parametrize("target", ALL)
def test_a_file_counts_the_padding_and_quantize_leaves_it_out(target):
    lowered = pool(
        "AveragePool", (1, 2, 2, 1), (1, 2, 2, 1), kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    )
    y = both(lowered, target, {"x": np.full((1, 2, 2, 1), 90, np.int8)})["y"]
    assert set(y.ravel().tolist()) == {40}, "four of nine taps, although the attribute is 0"
    body = (
        "g (float[1,5,8,8] x) => (float y)"
        " { y = AveragePool<kernel_shape = [3,3], pads = [1,1,1,1]>(x) }"
    )
    quantize_keeps(body, target)


@shows("pool attributes")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("MaxPool", "ceil_mode = 1, strides = [2,2]"),
        ("AveragePool", "ceil_mode = 1, strides = [2,2]"),
        ("MaxPool", "dilations = [2,2]"),
    ],
)
def test_what_pools_ignore_is_computed_by_other_nodes(kind, attributes, target):
    body = (
        f"g (float[1,5,8,8] x) => (float y) {{ y = {kind}<kernel_shape = [3,3], {attributes}>(x) }}"
    )
    quantize_keeps(body, target)


def resize(
    channels: int,
    sizes: tuple[int, int],
    exponents: tuple[int, int] = (-5, -5),
    types: tuple[DType, DType] = (DType.INT8, DType.INT8),
    shape: tuple[int, int] = (4, 4),
    **attributes: object,
):
    nothing = [Tensor.of(name, np.zeros(0, np.float32)) for name in ("roi", "scales")]
    wanted = Tensor.of("sizes", np.array([1, channels, *sizes]))
    given: dict[str, object] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return single(
        "Resize",
        (1, *shape, channels),
        (1, *sizes, channels),
        exponents,
        (*nothing, wanted),
        types,
        **(given | attributes),
    )


@shows("Resize few channels")
@pytest.mark.parametrize("target", VECTOR)
@pytest.mark.parametrize("channels", [1, 8, 15])
def test_few_channels_at_another_scale_than_two_are_refused(channels, target):
    refused(resize(channels, (12, 12)), target, "never loaded")
    x = np.arange(16 * channels, dtype=np.uint8).view(np.int8).reshape(1, 4, 4, channels)
    doubled = both(resize(channels, (8, 8)), target, {"x": x})["y"]
    np.testing.assert_array_equal(doubled, x.repeat(2, 1).repeat(2, 2))
    enough = np.zeros((1, 4, 4, 16), np.int8)
    both(resize(16, (12, 12)), target, {"x": enough})
    both(resize(channels, (12, 12)), "esp32", {"x": x})


@shows("Resize few channels", "Resize int16", "Resize modes")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("mode", ["asymmetric", "half_pixel", "align_corners"])
def test_quantize_writes_gathers_where_no_kernel_is_right(mode, bits, target):
    body = (
        "g (float[1,5,4,6] x) => (float y) <int64[4] s = {1,5,7,9}>"
        f' {{ y = Resize<mode = "nearest", coordinate_transformation_mode = "{mode}",'
        ' nearest_mode = "round_prefer_floor">(x, , , s) }'
    )
    lowered = quantize_keeps(body, target, bits)
    assert kinds(lowered).count("Gather") == 2
    assert "Resize" not in kinds(lowered)


@shows("Resize int16")
@pytest.mark.parametrize("target", ALL)
def test_an_empty_kernel_is_refused(target):
    refused(resize(16, (8, 8), types=INT16), target, "kernel is empty")
    body = (
        "g (float[1,3,4,5] x) => (float y) <float[4] s = {1.0,1.0,2.0,2.0}>"
        ' { y = Resize<mode = "linear">(x, , s) }'
    )
    assert "Resize" not in kinds(quantize_keeps(body, target, 16))


@shows("Resize modes")
@pytest.mark.parametrize("target", ALL)
def test_a_linear_mode_that_the_board_takes_for_half_pixel_becomes_a_product(target):
    body = (
        "g (float[1,3,4,5] x) => (float y) <float[4] s = {1.0,1.0,2.0,2.0}> { y = Resize<"
        'mode = "linear", coordinate_transformation_mode = "asymmetric">(x, , s) }'
    )
    assert "Resize" not in kinds(quantize_keeps(body, target))


@shows("Resize single")
@pytest.mark.parametrize("target", ALL)
def test_a_single_row_or_column_is_refused_by_linear(target):
    lowered = resize(16, (2, 8), shape=(1, 4), mode="linear")
    refused(lowered, target, "single row or column")


@shows("Resize exponents")
def test_unequal_exponents_wrap_on_c_saturate_in_vectors_and_round_by_chance_on_p4():
    x = {"x": np.full((1, 4, 4, 16), 100, np.int8)}
    assert both(resize(16, (8, 8), (-4, -5)), "esp32", x)["y"].max() == -56
    for target in VECTOR:
        assert both(resize(16, (8, 8), (-4, -5)), target, x)["y"].max() == 127
        refused(resize(16, (8, 8), (2, -5)), target, "right up to 6")
    assert both(resize(16, (8, 8), (-5, -4)), "esp32s3", x)["y"].max() == 50
    refused(resize(16, (8, 8), (-5, -4)), "esp32p4", "rounds as the kernel before it did")


@shows("Resize exponents")
@pytest.mark.parametrize("target", ALL)
def test_quantize_gives_a_resize_one_exponent(target):
    body = (
        "g (float[1,16,4,6] x) => (float y) <float[4] s = {1.0,1.0,2.0,2.0}>"
        ' { y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric",'
        ' nearest_mode = "floor">(x, , s) }'
    )
    lowered = quantize_keeps(body, target)
    (item,) = [n for n in lowered.nodes if n.op_type == "Resize"]
    e_x, e_y = (lowered.values[n].exponent for n in (item.inputs[0], item.outputs[0]))
    assert e_x == e_y
