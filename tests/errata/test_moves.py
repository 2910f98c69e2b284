"""Errata of operators that only move or pick elements, and of loops over many axes."""

from __future__ import annotations

import numpy as np
import pytest

from espdl_hil.ir.lowered import Tensor
from tests.analysis.models import model, node, value
from tests.errata.catalogue import shows
from tests.errata.judges import ALL, both, pair, quantize_keeps, quantize_refuses, refused, single


def indices(*numbers: int, name: str = "i", shape: tuple[int, ...] | None = None) -> Tensor:
    array = np.array(numbers, dtype=np.int64)
    return Tensor.of(name, array if shape is None else array.reshape(shape))


def split(*lengths: int):
    values = [value("x", (1, 7))]
    values += [value(f"y{i}", (1, n)) for i, n in enumerate(lengths)]
    outputs = [info.name for info in values[1:]]
    item = node("Split", ["x"], outputs, axis=1, num_outputs=len(lengths))
    return model([item], values, (), None)


@shows("Split lengths")
@pytest.mark.parametrize("target", ALL)
def test_a_split_into_a_number_of_parts_has_its_lengths_written_or_is_refused(target):
    refused(split(4, 3), target, "input 1")
    body = "g (float[1,7] x) => (float y, float z) { y, z = Split<axis = 1, num_outputs = 2>(x) }"
    (item,) = [n for n in quantize_keeps(body, target).nodes if n.op_type == "Split"]
    assert len(item.inputs) == 2
    assert "num_outputs" not in item.attributes


@shows("negative indices")
@pytest.mark.parametrize("target", ALL)
def test_an_index_from_the_end_is_refused_in_files_and_counted_from_the_front_by_quantize(target):
    picked = single("Gather", (4, 3), (2, 3), parameters=(indices(0, -1),), axis=0)
    refused(picked, target, "outside the tensor")
    body = "g (float[4,3] x) => (float y) <int64[2] i = {-1, 0}> { y = Gather<axis = 0>(x, i) }"
    quantize_keeps(body, target)
    update = Tensor.of("u", np.ones((1, 3), np.int8), exponents=(-5,))
    scattered = single("ScatterND", (4, 3), (4, 3), parameters=(indices(-1, shape=(1, 1)), update))
    refused(scattered, target, "does not wrap")
    body = (
        "g (float[4,3] x, float[1,3] x2) => (float y) <int64[1,1] i = {-1}>"
        " { y = ScatterND(x, i, x2) }"
    )
    quantize_keeps(body, target)


@shows("negative indices")
@pytest.mark.parametrize("target", ALL)
def test_an_index_beyond_the_axis_is_refused(target):
    refused(
        single("Gather", (4, 3), (1, 3), parameters=(indices(4),), axis=0),
        target,
        "outside the tensor",
    )


@shows("scattered product")
@pytest.mark.parametrize("target", ALL)
def test_products_without_scale_are_refused_by_quantize(target):
    body = (
        "g (float[5,6] x, float[2,6] x2) => (float y) <int64[2,1] i = {0,1}>"
        ' { y = ScatterND<reduction = "mul">(x, i, x2) }'
    )
    quantize_refuses(body, target, "scale the product")


@shows("backward slice")
@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize(
    ("start", "end", "step"), [(6, 1, -2), (-1, -9000, -1), (5, 2, -1), (4, -8, -3)]
)
def test_a_slice_that_runs_backwards_takes_what_onnx_takes(start, end, step, target):
    body = (
        f"g (float[1,8,3] x) => (float y) <int64[1] s = {{{start}}}, int64[1] e = {{{end}}},"
        f" int64[1] a = {{1}}, int64[1] st = {{{step}}}> {{ y = Slice(x, s, e, a, st) }}"
    )
    quantize_keeps(body, target)


@shows("depth to space")
@pytest.mark.parametrize("target", ALL)
def test_channels_that_the_runtime_mixes_up_are_refused_or_moved_by_other_nodes(target):
    refused(
        single("DepthToSpace", (1, 2, 2, 16), (1, 4, 4, 4), blocksize=2, mode="DCR"),
        target,
        "mixes up",
    )
    for body in (
        "g (float[1,16,3,3] x) => (float y) { y = DepthToSpace<blocksize = 2>(x) }",
        'g (float[1,16,3,3] x) => (float y) { y = DepthToSpace<blocksize = 2, mode = "CRD">(x) }',
        "g (float[1,3,4,4] x) => (float y) { y = SpaceToDepth<blocksize = 2>(x) }",
        "g (float[1,1,4,4] x) => (float y) { y = SpaceToDepth<blocksize = 2>(x) }",
    ):
        quantize_keeps(body, target)


@shows("Pad modes")
@pytest.mark.parametrize("target", ALL)
def test_what_the_runtime_cannot_pad_is_refused(target):
    def pad(mode: str, *pads: int, shape=(1, 2, 3), out=(1, 2, 3)):
        return single("Pad", shape, out, parameters=(indices(*pads, name="p"),), mode=mode)

    refused(pad("wrap", 0, 0, 1, 0, 0, 1, out=(1, 2, 5)), target, "wrap")
    refused(pad("constant", 0, 0, -1, 0, 0, 0, out=(1, 2, 2)), target, "negative pads")
    refused(pad("reflect", 0, 0, 3, 0, 0, 0, out=(1, 2, 6)), target, "reflect more than there is")
    x = {"x": np.arange(6, dtype=np.int8).reshape(1, 2, 3)}
    for mode in ("constant", "edge", "reflect"):
        both(pad(mode, 0, 1, 1, 0, 0, 2, out=(1, 3, 6)), target, x)


@shows("four loops")
@pytest.mark.parametrize("target", ALL)
def test_more_alternating_axes_than_loops_are_refused(target):
    shapes = ((2, 1, 2, 1, 2), (1, 2, 1, 2, 1))
    refused(pair("Add", shapes), target, "nested loops")
    both(
        pair("Add", (shapes[0][1:], shapes[1][1:])),
        target,
        {"a": np.ones(shapes[0][1:], np.int8), "b": np.ones(shapes[1][1:], np.int8)},
    )
    axes = indices(0, 2, 4, name="axes")
    shape = (2, 2, 2, 2, 2)
    refused(
        single("ReduceSum", shape, (1, 2, 1, 2, 1), parameters=(axes,), keepdims=1),
        target,
        "4 alternating runs",
    )


@shows("streaming axes")
@pytest.mark.parametrize("target", ALL)
def test_a_stream_that_is_not_outermost_is_refused(target):
    def cache(shape: tuple[int, ...], out: tuple[int, ...], axis: int):
        return single("StreamingCache", shape, out, window_size=3, frame_axis=axis)

    refused(cache((2, 4, 3), (2, 6, 3), 1), target, "not the outermost")
    y = both(cache((1, 1, 3), (1, 3, 3), 1), target, {"x": np.full((1, 1, 3), 7, np.int8)})["y"]
    assert y[0, :2].tolist() == [[0, 0, 0]] * 2
    assert y[0, 2].tolist() == [7, 7, 7]
