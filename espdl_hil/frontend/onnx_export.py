"""``Graph`` → ONNX model, for evaluation by ONNX Runtime.

The law of this file: the exported model computes what the graph says, value by value, under the
same names. What ONNX has no operator for (a fused activation, Swish) is written as several nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from espdl_hil.frontend.spelled import spelled
from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.types import TensorType
from espdl_hil.ops._mac import Activation
from espdl_hil.ops.insert_zeros import InsertZeros
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.relu import Relu
from espdl_hil.ops.sigmoid import Sigmoid
from espdl_hil.ops.swish import Swish

EXPORT_OPSET = 20
"""The opset of exported models: the first with Gelu."""

_IR_VERSION = 10


def export_onnx(graph: Graph, outputs: Sequence[str] | None = None) -> onnx.ModelProto:
    """The graph as an ONNX model.

    Args:
        graph: float graph.
        outputs: values to give, inner ones too; the graph's outputs by default.
    """
    wanted = graph.outputs if outputs is None else tuple(outputs)
    return helper.make_model(
        helper.make_graph(
            [proto for node in graph.nodes for proto in _protos(node, graph)],
            graph.name,
            [_info(name, graph.types[name]) for name in graph.inputs],
            [_info(name, graph.types[name]) for name in wanted],
            [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", EXPORT_OPSET)],
        ir_version=_IR_VERSION,
    )


def _info(name: str, kind: TensorType) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, int(kind.dtype), kind.shape)


def _protos(node: Node, graph: Graph) -> Iterable[onnx.NodeProto]:
    attributes = dict(node.op.to_attributes())
    activation = attributes.pop("activation", None)
    if isinstance(node.op, Swish):
        x, y = node.inputs[0], node.outputs[0]
        yield helper.make_node(Sigmoid.op_type, [x], [f"{y}/sigmoid"], f"{node.name}/sigmoid")
        yield helper.make_node(Mul.op_type, [x, f"{y}/sigmoid"], [y], node.name)
        return
    longer = spelled(node, graph)
    if longer is not None:
        yield from longer
        return
    if isinstance(node.op, InsertZeros):
        yield from _spread(node, node.op, graph)
        return
    fused = activation is not None and activation.value == Activation.RELU.value
    outputs = [f"{node.outputs[0]}/linear"] if fused else list(node.outputs)
    proto = helper.make_node(node.op.op_type, list(node.inputs), outputs, node.name)
    known = onnx.defs.get_schema(node.op.op_type, EXPORT_OPSET).attributes
    proto.attribute.extend(
        _proto(name, value) for name, value in sorted(attributes.items()) if name in known
    )
    yield proto
    if fused:
        yield helper.make_node(Relu.op_type, outputs, list(node.outputs), f"{node.name}/relu")


def _spread(node: Node, op: InsertZeros, graph: Graph) -> Iterable[onnx.NodeProto]:
    """InsertZeros as a transposed convolution of each channel with a single 1."""
    x, y = node.inputs[0], node.outputs[0]
    channels, *size = graph.types[x].shape[1:]
    ones = numpy_helper.from_array(np.ones((channels, 1, *[1] * len(size)), np.float32))
    yield helper.make_node("Constant", [], [f"{y}/ones"], f"{node.name}/ones", value=ones)
    yield helper.make_node(
        "ConvTranspose",
        [x, f"{y}/ones"],
        [y],
        node.name,
        group=channels,
        strides=op.stride or [1] * len(size),
        output_padding=op.output_padding or [0] * len(size),
    )


def _proto(name: str, attribute: Attribute) -> onnx.AttributeProto:
    if attribute.kind is AttributeKind.TENSOR:
        raise NotImplementedError(f"tensor attribute {name!r}")
    # The kind is given, because an empty list does not tell its own.
    return helper.make_attribute(name, attribute.value, attr_type=int(attribute.kind))
