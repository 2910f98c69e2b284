"""The models that both quantizers export: graphs of one operator and kind of use, whole models.

Graphs with many branches have separate inputs and outputs for each: one file shows many shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from tests.quantizer import cases as graphs
from tests.quantizer import operator_cases as more
from tests.support.onnx_models import inputs_of, model_of

PROJECT = Path(__file__).resolve().parents[2]

CHANNELS = (1, 7, 8, 15, 16, 17, 33)
SAMPLES = 4
"""How many inputs each is calibrated with; exponents are the peer's in both files."""


@dataclass(frozen=True, slots=True)
class Case:
    """One float model.

    Attributes:
        name: as entries of the table call it.
        model: of ONNX.
        data: calibration samples by input, samples first.
    """

    name: str
    model: onnx.ModelProto
    data: dict[str, np.ndarray]


def _branches(name: str, inputs: Iterable[str], nodes: Iterable[str], outputs: int) -> str:
    results = ", ".join(f"float y{i}" for i in range(outputs))
    return f"{name} ({', '.join(inputs)}) => ({results}) {{ {' '.join(nodes)} }}"


def _each(name: str, inputs: str, node: str) -> str:
    """One branch per number of channels: ``@`` is the branch, ``%`` the channels."""
    pairs = list(enumerate(CHANNELS))
    fill = [(str(i), str(c)) for i, c in pairs]
    return _branches(
        name,
        [inputs.replace("@", i).replace("%", c) for i, c in fill],
        [node.replace("@", i).replace("%", c) for i, c in fill],
        len(pairs),
    )


OWN: dict[str, str] = {
    "conv_outputs": _each(
        "g",
        "float[1,5,7,6] x@, float[%,5,3,2] w@, float[%] b@",
        "y@ = Conv<kernel_shape = [3,2], strides = [2,1], pads = [1,0,0,1]>(x@, w@, b@)",
    ),
    "conv_inputs": _each(
        "g",
        "float[1,%,6,6] x@, float[18,%,1,1] w@, float[18] b@",
        "y@ = Conv<kernel_shape = [1,1]>(x@, w@, b@)",
    ),
    "conv_depthwise": _each(
        "g",
        "float[1,%,9,9] x@, float[%,1,3,3] w@, float[%] b@",
        "y@ = Conv<group = %, kernel_shape = [3,3], pads = [2,2,2,2], dilations = [2,2]>"
        "(x@, w@, b@)",
    ),
    "conv_1d_outputs": _each(
        "g",
        "float[1,5,9] x@, float[%,5,3] w@, float[%] b@",
        "y@ = Conv<kernel_shape = [3], strides = [2], pads = [1,0]>(x@, w@, b@)",
    ),
    "gemm_outputs": _each(
        "g",
        "float[1,20] x@, float[%,20] w@, float[%] b@",
        "y@ = Gemm<transB = 1>(x@, w@, b@)",
    ),
    "matmul_outputs": _each("g", "float[1,3,20] x@, float[20,%] w@", "y@ = MatMul(x@, w@)"),
    "matmul_dynamic": _each("g", "float[1,2,3,20] x@, float[1,2,20,%] xx@", "y@ = MatMul(x@, xx@)"),
    "gelu": "g (float[1,6,4,4] x) => (float y) { y = Gelu(x) }",
    "gelu_tanh": 'g (float[1,20] x) => (float y) { y = Gelu<approximate = "tanh">(x) }',
    "mod": "g (float[1,20] x, float[1,20] x2) => (float y) { y = Mod<fmod = 1>(x, x2) }",
    "equal": "g (float[1,20] x, float[1,20] x2) => (bool y) { y = Equal(x, x2) }",
    "less": "g (float[1,20] x, float[1,20] x2) => (bool y) { y = Less(x, x2) }",
    "greater_equal": "g (float[1,20] x, float[1,20] x2) => (bool y) { y = GreaterOrEqual(x, x2) }",
    "reduce_min": "g (float[1,5,7] x) => (float y) <int64[1] a = {1}>"
    " { y = ReduceMin<keepdims = 0>(x, a) }",
    "rms_norm": "g (float[1,6,16] x, float[16] s) => (float y) <float two = {2.0},"
    " float e = {0.00001}, int64[1] a = {-1}> { q = Pow(x, two) m = ReduceMean(q, a)"
    " d = Add(m, e) r = Sqrt(d) n = Div(x, r) y = Mul(n, s) }",
    "gemm_scaled_weights": "g (float[1,20] x, float[10,20] w, float[10] b) => (float y)"
    " { y = Gemm<transB = 1>(x, w, b) }",
    "split_sizes": "g (float[1,8,6,6] x) => (float y, float z) <int64[2] s = {3, 5}>"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y, z = Split<axis = 1>(t, s) }",
}


@dataclass(frozen=True, slots=True)
class _Whole:
    """Where a whole model and its samples lie."""

    name: str
    model: Path
    samples: Path


def _whole(shared: Path) -> Iterator[_Whole]:
    for folder, pattern, kind in (
        (PROJECT / "examples", "*/*.onnx", "example"),
        (shared / "bench", "*.onnx", "bench"),
    ):
        for path in sorted(folder.glob(pattern)):
            yield _Whole(f"{kind}/{path.stem}", path, path.with_suffix(".calib.npz"))


def spelled_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with defaults of ONNX written out where the peer takes them for something else.

    Without ``strides`` it moves pools by their kernel's size, without ``keepdims`` or, on the plain
    targets, ``group`` of a one-dimensional convolution it stops with a Python error.
    """
    for node in model.graph.node:
        given = {attribute.name for attribute in node.attribute}
        if node.op_type in ("MaxPool", "AveragePool") and "strides" not in given:
            kernel = next(a for a in node.attribute if a.name == "kernel_shape")
            node.attribute.append(helper.make_attribute("strides", [1] * len(kernel.ints)))
        if node.op_type == "Conv" and "group" not in given:
            node.attribute.append(helper.make_attribute("group", 1))
        if node.op_type.startswith("Reduce") and "keepdims" not in given:
            node.attribute.append(helper.make_attribute("keepdims", 1))
    return model


def cases(shared: Path) -> Iterator[Case]:
    """All of them; of the models in ``shared`` those that are there."""
    written = {
        **graphs.EXACT,
        **graphs.PRODUCTS,
        **graphs.INT8_ONLY,
        **more.MOVES,
        **more.FORMULAS,
        **more.LINEAR_RESIZES,
        **more.RECURRENT,
        **OWN,
    }
    for name, body in written.items():
        # Gelu is an operator since opset 20; the rest is written for the one before.
        model = spelled_out(model_of(body, opset=20 if name.startswith("gelu") else 18))
        yield Case(name, model, inputs_of(model, SAMPLES))
    for whole in _whole(shared):
        with np.load(whole.samples) as archive:
            data = {key: archive[key][:SAMPLES].astype(np.float32) for key in archive.files}
        model = onnx.load(whole.model)
        for value in model.graph.input:  # samples first, each with its batch of one
            shape = [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]
            data[value.name] = data[value.name].reshape(SAMPLES, *shape)
        yield Case(whole.name, model, data)
