"""Element types brought to the one that the float graph has: float32.

The law of this file: it changes our own copy of the model. Half and double precision become single;
an integer input that is only cast to floats becomes a float input; what is quantized already is
refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from espdl_hil.errors import ModelError
from espdl_hil.ops.dequantize_linear import DequantizeLinear
from espdl_hil.ops.quantize_linear import QuantizeLinear

_LOG = logging.getLogger(__name__)

_OTHER_FLOATS: dict[int, str] = {
    TensorProto.FLOAT16: "half",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.DOUBLE: "double",
}
_INTEGERS = {
    TensorProto.UINT8,
    TensorProto.INT8,
    TensorProto.UINT16,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT32,
    TensorProto.BOOL,
}
_QUANTIZED = (
    QuantizeLinear.op_type,
    DequantizeLinear.op_type,
    "DynamicQuantizeLinear",
    "ConvInteger",
    "MatMulInteger",
)
_CAST = "Cast"


def refuse_quantized(model: onnx.ModelProto) -> None:
    """Refuse a model that another tool has quantized.

    Raises:
        ModelError: the first node that shows it, and how many there are.
    """
    found = [
        node
        for node in model.graph.node
        if node.op_type in _QUANTIZED or node.op_type.startswith("QLinear")
    ]
    if found:
        kinds = ", ".join(sorted({node.op_type for node in found}))
        raise ModelError(
            f"the model is quantized already ({len(found)} nodes: {kinds})",
            node=found[0].name,
            hint="give the float model that it was made of: a board's exponents are powers of two, "
            "which other tools' scales and zero points are not",
        )


def to_single_precision(model: onnx.ModelProto) -> None:
    """Make every half, bfloat16 and double value, constant and cast a single one."""
    seen: set[str] = set()
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            kind = value.type.tensor_type
            if kind.elem_type in _OTHER_FLOATS:
                seen.add(_OTHER_FLOATS[kind.elem_type])
                kind.elem_type = TensorProto.FLOAT
        for tensor in graph.initializer:
            _widen(tensor, seen)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    _widen(attribute.t, seen)
                typed = attribute.name in ("to", "dtype", "stash_type")
                if typed and attribute.i in _OTHER_FLOATS:
                    seen.add(_OTHER_FLOATS[attribute.i])
                    attribute.i = TensorProto.FLOAT
    if seen:
        _LOG.warning("%s precision is taken as float32", " and ".join(sorted(seen)))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, and those in the attributes of its nodes."""
    waiting = [graph]
    while waiting:
        one = waiting.pop()
        yield one
        for node in one.node:
            waiting += [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _widen(tensor: TensorProto, seen: set[str]) -> None:
    if tensor.data_type not in _OTHER_FLOATS:
        return
    seen.add(_OTHER_FLOATS[tensor.data_type])
    with np.errstate(over="ignore"):
        array = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def float_inputs(model: onnx.ModelProto) -> None:
    """Make an integer input that nothing but casts to float read a float input.

    Before: ``x: uint8``, ``t = Cast(x, to=FLOAT)``; after: ``x: float``, read in place of ``t``.
    The board's input is an integer with an exponent anyway.
    """
    graph = model.graph
    outputs = {value.name for value in graph.output}
    for value in graph.input:
        kind = value.type.tensor_type
        if kind.elem_type not in _INTEGERS:
            continue
        users = [node for node in graph.node if value.name in node.input]
        if not users or not all(_casts_to_float(node) for node in users):
            continue
        if any(node.output[0] in outputs for node in users):
            continue
        _LOG.warning("input %r: integers that are cast to float are taken as float", value.name)
        kind.elem_type = TensorProto.FLOAT
        _bypass(graph, users, value.name)


def _casts_to_float(node: onnx.NodeProto) -> bool:
    return node.op_type == _CAST and any(
        attribute.name == "to" and attribute.i == TensorProto.FLOAT for attribute in node.attribute
    )


def _bypass(graph: onnx.GraphProto, casts: Iterable[onnx.NodeProto], name: str) -> None:
    """Let the readers of ``casts`` read ``name``, and remove these."""
    gone = [cast.output[0] for cast in casts]
    for node in graph.node:
        for index, given in enumerate(node.input):
            if given in gone:
                node.input[index] = name
    kept = [node for node in graph.node if node.output[0] not in gone]
    del graph.node[:]
    graph.node.extend(kept)
