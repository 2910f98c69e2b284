"""Stored axis orders: any mixture of operators gives what ONNX gives, wherever transposes go."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from espdl_hil.calibration.observers import Observer
from espdl_hil.lowering import to_real, to_stored
from espdl_hil.lowering.axes import (
    channels_last,
    identity,
    moves_nothing,
    stored_shape,
    transposition,
)
from espdl_hil.pipeline import quantize
from espdl_hil.quantizer import QuantizeConfig
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named

TARGET = target_named("esp32p4")
STEPS = 6.0  # every sum on the way may round once


class Drawn:
    """A random graph of operators that treat the axis order in different ways."""

    def __init__(self, draw) -> None:
        self.draw = draw
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        shape = (1, draw(st.integers(1, 4)), draw(st.integers(2, 5)), draw(st.integers(2, 5)))
        self.shapes: dict[str, tuple[int, ...]] = {"x": shape}
        self.rng = np.random.default_rng(draw(st.integers(0, 99)))

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], shape: tuple[int, ...], **attributes) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, inputs, [name], f"n{len(self.nodes)}", **attributes)
        )
        self.shapes[name] = tuple(shape)

    def grow(self) -> None:
        value = self.draw(st.sampled_from(list(self.shapes)))
        shape = self.shapes[value]
        rank = len(shape)
        kind = self.draw(
            st.sampled_from(
                [
                    "MaxPool",
                    "Transpose",
                    "Relu",
                    "Constant",
                    "Add",
                    "Concat",
                    "Slice",
                    "Pad",
                    "Reshape",
                ]
            )
        )
        if kind == "MaxPool" and rank in (3, 4) and shape[0] == 1 and min(shape[2:]) >= 2:
            kernel = [2] * (rank - 2)
            self.node(kind, [value], (*shape[:2], *(n - 1 for n in shape[2:])), kernel_shape=kernel)
        elif kind == "Transpose":
            perm = self.draw(st.permutations(range(rank)))
            self.node(kind, [value], [shape[axis] for axis in perm], perm=perm)
        elif kind == "Relu":
            self.node(kind, [value], shape)
        elif kind == "Constant":
            kept = self.draw(st.integers(0, rank))
            sizes = [n if self.draw(st.booleans()) else 1 for n in shape[rank - kept :]]
            array = self.rng.uniform(-1, 1, sizes).astype(np.float32)
            self.node("Add", [value, self.constant(array)], shape)
        elif kind == "Add":
            alike = [other for other, found in self.shapes.items() if found == shape]
            self.node(kind, [value, self.draw(st.sampled_from(alike))], shape)
        elif kind == "Concat":
            axis = self.draw(st.integers(0, rank - 1))
            rest = (*shape[:axis], *shape[axis + 1 :])
            alike = [
                other
                for other, found in self.shapes.items()
                if len(found) == rank and (*found[:axis], *found[axis + 1 :]) == rest
            ]
            other = self.draw(st.sampled_from(alike))
            joined = (*shape[:axis], shape[axis] + self.shapes[other][axis], *shape[axis + 1 :])
            self.node(
                kind, [value, other], joined, axis=axis - self.draw(st.sampled_from([0, rank]))
            )
        elif kind == "Slice":
            axis = self.draw(st.integers(0, rank - 1))
            end = self.draw(st.integers(1, shape[axis]))
            bounds = [self.constant(np.array([n], dtype=np.int64)) for n in (0, end, axis)]
            self.node(kind, [value, *bounds], (*shape[:axis], end, *shape[axis + 1 :]))
        elif kind == "Pad":
            pads = [self.draw(st.integers(0, 1)) if i % rank else 0 for i in range(2 * rank)]
            grown = [n + pads[i] + pads[rank + i] for i, n in enumerate(shape)]
            self.node(kind, [value, self.constant(np.array(pads, dtype=np.int64))], grown)
        elif kind == "Reshape":
            sizes = [1, *self.draw(st.permutations([n for n in shape if n > 1]))]
            sizes = sizes if len(sizes) < 5 else [1, int(np.prod(sizes))]
            self.node(kind, [value, self.constant(np.array(sizes, dtype=np.int64))], sizes)

    def model(self) -> bytes:
        read = {value for node in self.nodes for value in node.input}
        outputs = [name for name in self.shapes if name not in read and name != "x"] or ["x"]
        if outputs == ["x"]:
            self.node("Relu", ["x"], self.shapes["x"])
            outputs = [self.nodes[-1].output[0]]

        def info(name):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])

        graph = helper.make_graph(
            self.nodes, "g", [info("x")], [info(name) for name in outputs], self.constants
        )
        opset = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


@st.composite
def graphs(draw) -> tuple[bytes, tuple[int, ...]]:
    drawn = Drawn(draw)
    for _ in range(draw(st.integers(1, 9))):
        drawn.grow()
    return drawn.model(), drawn.shapes["x"]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 99))
def test_any_mixture_of_layouts_gives_what_onnx_gives(drawn, seed):
    data, shape = drawn
    samples = np.random.default_rng(seed).uniform(-2, 2, (3, *shape)).astype(np.float32)
    config = QuantizeConfig(TARGET, 16, Observer.MINMAX)
    model = quantize(data, config, {"x": samples}).model
    session = onnxruntime.InferenceSession(data)
    names = [output.name for output in session.get_outputs()]
    simulator = Simulator(model, TARGET)
    for sample in samples:
        stored = to_stored(model, "x", sample, TARGET)
        found = simulator.run({"x": stored})
        expected = session.run(names, {"x": to_real(model, "x", stored)})
        for name, array in zip(names, expected, strict=True):
            real = to_real(model, name, found[name])
            assert real.shape == array.shape
            step = 2.0 ** max(value.exponents[0] for value in model.values.values())
            assert np.abs(real - array).max() <= STEPS * step


perms = st.integers(1, 5).flatmap(lambda rank: st.permutations(range(rank)).map(tuple))


@given(perms, st.data())
def test_a_transposition_leads_from_one_order_to_the_other(have, data):
    want = tuple(data.draw(st.permutations(range(len(have)))))
    shape = tuple(data.draw(st.integers(1, 3)) for _ in have)
    array = np.arange(int(np.prod(shape))).reshape(shape)
    moved = array.transpose(have).transpose(transposition(have, want))
    np.testing.assert_array_equal(moved, array.transpose(want))
    assert stored_shape(shape, want) == moved.shape


@given(perms, st.data())
def test_moving_axes_of_length_one_moves_nothing(perm, data):
    shape = tuple(data.draw(st.integers(1, 3)) for _ in perm)
    array = np.arange(int(np.prod(shape))).reshape(shape)
    same = np.array_equal(array.transpose(perm).ravel(), array.ravel())
    assert moves_nothing(perm, shape) == same


def test_channels_last_is_the_boards_order():
    assert channels_last(4) == (0, 2, 3, 1)
    assert channels_last(3) == (0, 2, 1)
    assert channels_last(2) == identity(2)
