"""Fold multiplications and additions by constants into the weights and bias before them.

Before::

    t = Conv(x, w, b)        t = Gemm(x, w)
    u = Mul(t, s)            y = Add(t, c)
    y = Add(u, o)

After::

    y = Conv(x, w * s, b * s + o)        y = Gemm(x, w, c)

This is how BatchNormalization disappears (the importer writes it as Mul and Add), and how a bias
that an exporter left apart comes home.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import LayoutRule
from espdl_hil.ops.add import Add
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.sub import Sub
from espdl_hil.passes.edit import Draft, constant_operand, only_reader, readers


def fold_affine(graph: Graph) -> Graph:
    """The graph with every foldable Mul, Add and Sub by a constant folded."""
    while True:
        folded = _fold_once(graph)
        if folded is graph:
            return graph
        graph = folded


def _fold_once(graph: Graph) -> Graph:
    by_value = readers(graph)
    draft = Draft(graph)
    touched: set[str] = set()
    for node in graph.nodes:
        if not node.op.traits.multiplies or not _has_constant_weights(graph, node):
            continue
        follower = only_reader(graph, by_value, node.outputs[0])
        if follower is None or not isinstance(follower.op, (Mul, Add, Sub)):
            continue
        merged = _merged(graph, draft, node, follower)
        if merged is not None:
            draft.replace(node, merged)
            draft.replace(follower)
            touched.add(node.name)
    return draft.graph() if touched else graph


def _has_constant_weights(graph: Graph, node: Node) -> bool:
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    return node.inputs[1] in graph.constants and (not bias or bias in graph.constants)


def _merged(graph: Graph, draft: Draft, node: Node, follower: Node) -> Node | None:
    """``node`` with ``follower`` folded in; ``None`` where that would not be exact."""
    operands = constant_operand(follower, graph.constants)
    if operands is None or operands[0] != node.outputs[0]:
        return None
    if graph.types[follower.outputs[0]].shape != graph.types[node.outputs[0]].shape:
        return None
    if node.op.to_attributes().get("activation", None) is not None:
        activation = node.op.to_attributes()["activation"].value
        if activation != "Linear":
            return None
    per_output = _per_output(graph, node, graph.constants[operands[1]])
    if per_output is None:
        return None
    weights = graph.constants[node.inputs[1]].astype(np.float64)
    channels = weights.shape[node.op.weight_axis()]
    bias = np.zeros(channels)
    had_bias = len(node.inputs) > 2 and bool(node.inputs[2])
    if had_bias:
        bias = np.broadcast_to(graph.constants[node.inputs[2]].astype(np.float64), channels)
    if isinstance(follower.op, Mul):
        along = [1] * weights.ndim
        along[node.op.weight_axis()] = channels
        weights = weights * per_output.reshape(along)
        bias = bias * per_output
    elif not node.op.traits.channelwise:
        return None  # MatMul has no bias
    elif isinstance(follower.op, Add):
        bias = bias + per_output
    elif follower.inputs[0] == node.outputs[0]:
        bias = bias - per_output
    else:
        weights, bias = -weights, per_output - bias
    inputs = [node.inputs[0], node.inputs[1]]
    if not np.array_equal(weights, graph.constants[node.inputs[1]]):
        inputs[1] = draft.add_constant(f"{node.inputs[1]}_folded", weights.astype(np.float32))
    if had_bias or np.any(bias):
        name = node.inputs[2] if had_bias else f"{node.name}/bias"
        inputs.append(draft.add_constant(f"{name}_folded" if had_bias else name, _single(bias)))
    return replace(node, inputs=tuple(inputs), outputs=follower.outputs)


def _single(bias: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(bias, dtype=np.float32)


def _per_output(
    graph: Graph, node: Node, constant: npt.NDArray[np.generic]
) -> npt.NDArray[np.float64] | None:
    """The constant as one number per output channel of ``node``; ``None`` where it is not."""
    shape = graph.types[node.outputs[0]].shape
    weights = graph.types[node.inputs[1]].shape
    if len(weights) > 2 and not node.op.traits.channelwise:
        return None  # a stack of matrices
    channels = weights[node.op.weight_axis()]
    channels_last = node.op.traits.layout is LayoutRule.CHANNELS_LAST
    axis = 1 if channels_last else len(shape) - 1
    full = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
    if any(n != 1 for i, n in enumerate(full.shape) if i != axis):
        return None
    return np.broadcast_to(full.astype(np.float64).ravel(), (channels,))
