"""Our operators that ONNX has no operator for, spelled in several ONNX nodes.

The law of this file: it is only for float evaluation; the nodes compute what ours means.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.add import Add
from espdl_hil.ops.div import Div
from espdl_hil.ops.function import Function
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.reduce_mean import ReduceMean
from espdl_hil.ops.rms_normalization import RMSNormalization
from espdl_hil.ops.sqrt import Sqrt


def spelled(node: Node, graph: Graph) -> Iterator[onnx.NodeProto] | None:
    """The nodes for ``node``; ``None`` where ONNX has the operator itself."""
    if isinstance(node.op, Function):
        return _function(node, node.op)
    if isinstance(node.op, RMSNormalization):
        return _rms_normalization(node, node.op, len(graph.types[node.inputs[0]].shape))
    return None


def _constant(name: str, value: float | list[int]) -> onnx.NodeProto:
    array = np.array(value, dtype=np.int64 if isinstance(value, list) else np.float32)
    return helper.make_node("Constant", [], [name], name, value=numpy_helper.from_array(array))


def _function(node: Node, function: Function) -> Iterator[onnx.NodeProto]:
    """One node a step."""
    y = node.outputs[0]
    values = [node.inputs[0], *(f"{y}/{index}" for index in range(1, len(function.steps))), y]
    for index, step in enumerate(function.steps, start=1):
        operands: list[str] = []
        for place, given in enumerate(step.operands):
            if isinstance(given, int):
                operands.append(values[given])
            elif given is None:
                operands.append("")
            else:
                operands.append(f"{y}/{index}/{place}")
                yield _constant(operands[-1], given)
        name = f"{node.name}/{index}"
        proto = helper.make_node(step.kind, operands, [values[index]], name)
        proto.attribute.extend(
            helper.make_attribute(name, value) for name, value in step.parameters
        )
        yield proto


def _rms_normalization(node: Node, op: RMSNormalization, rank: int) -> Iterator[onnx.NodeProto]:
    """``x / sqrt(mean(x * x) + epsilon) * scale``."""
    x, y = node.inputs[0], node.outputs[0]
    axes = list(range(op.axis % rank, rank))
    yield _constant(f"{y}/epsilon", op.epsilon)
    yield _constant(f"{y}/axes", axes)
    for kind, inputs, result in (
        (Mul, [x, x], f"{y}/square"),
        (ReduceMean, [f"{y}/square", f"{y}/axes"], f"{y}/mean"),
        (Add, [f"{y}/mean", f"{y}/epsilon"], f"{y}/sum"),
        (Sqrt, [f"{y}/sum"], f"{y}/root"),
        (Div, [x, f"{y}/root"], f"{y}/normal"),
        (Mul, [f"{y}/normal", node.inputs[1]], y),
    ):
        yield helper.make_node(kind.op_type, inputs, [result], result)
