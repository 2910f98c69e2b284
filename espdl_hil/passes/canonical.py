"""Write MAC operators in the one form that ESP-DL stores.

Before::

    y = Gemm(x, w, c, alpha=0.5, transB=1)      y = MatMul(x, w)         y = Conv(x, w, group=2)

After::

    y = Gemm(x, 0.5 * transpose(w), c)          y = Gemm(x, w)           y = Conv(x, w', group=1)

MatMul of a matrix by a constant matrix becomes Gemm, which takes a bias and per-channel exponents.
A convolution with groups other than depthwise becomes a dense one whose weights are zero between
groups: exact, and slower by the number of groups.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph
from espdl_hil.ir.types import Array
from espdl_hil.ops.conv import Conv
from espdl_hil.ops.gemm import Gemm
from espdl_hil.ops.matmul import MatMul
from espdl_hil.passes.edit import Draft

_LOG = logging.getLogger(__name__)


def canonical_gemm(graph: Graph) -> Graph:
    """The graph with Gemm's ``alpha``, ``beta`` and ``transB`` moved into its constants."""
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Gemm) or node.inputs[1] not in graph.constants:
            continue
        attributes = dict(node.op.to_attributes())
        alpha = _number(attributes, "alpha")
        beta = _number(attributes, "beta")
        transposed = attributes.get("transB")
        inputs = list(node.inputs)
        if (transposed is not None and transposed.value) or alpha != 1.0:
            weights = graph.constants[inputs[1]].astype(np.float64) * alpha
            if transposed is not None and transposed.value:
                weights = weights.T
            inputs[1] = draft.add_constant(f"{inputs[1]}_kn", weights.astype(np.float32))
        if len(inputs) > 2 and inputs[2]:
            if inputs[2] not in graph.constants:
                continue
            bias = graph.constants[inputs[2]].astype(np.float64) * beta
            channels = graph.types[node.outputs[0]].shape[-1]
            if bias.size not in (1, channels):
                continue  # one bias per row: the check refuses it by name
            flat = np.broadcast_to(bias.ravel(), (channels,)).astype(np.float32)
            if not np.array_equal(flat, graph.constants[inputs[2]]):
                inputs[2] = draft.add_constant(f"{inputs[2]}_n", flat)
        attributes.update(alpha=Attribute.of(1.0), beta=Attribute.of(1.0), transB=Attribute.of(0))
        op = Gemm.from_attributes(Attributes(node.name, node.op.op_type, attributes))
        draft.replace(node, replace(node, op=op, inputs=tuple(inputs)))
    return draft.graph()


def _number(attributes: dict[str, Attribute], name: str) -> float:
    found = attributes.get(name)
    return 1.0 if found is None else float(found.value)  # type: ignore[arg-type]


def matmul_to_gemm(graph: Graph) -> Graph:
    """The graph with MatMul of ``[M, K]`` by a constant ``[K, N]`` as Gemm."""
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, MatMul) or node.inputs[1] not in graph.constants:
            continue
        if len(graph.types[node.inputs[0]].shape) != 2 or graph.constants[node.inputs[1]].ndim != 2:
            continue
        op = Gemm.from_attributes(Attributes(node.name, Gemm.op_type, {}))
        draft.replace(node, replace(node, op=op))
    return draft.graph()


def expand_groups(graph: Graph) -> Graph:
    """The graph with grouped convolutions that are not depthwise as dense ones."""
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Conv) or node.inputs[1] not in graph.constants:
            continue
        weights = graph.constants[node.inputs[1]]
        attributes = dict(node.op.to_attributes())
        group = int(attributes["group"].value)  # type: ignore[arg-type]
        channels = graph.types[node.inputs[0]].shape[1]
        if group == 1 or group == channels == weights.shape[0]:
            continue
        _LOG.warning(
            "node %r: %d groups become one dense convolution, %d times the work",
            node.name,
            group,
            group,
        )
        dense = draft.add_constant(f"{node.inputs[1]}_dense", _dense(weights, group))
        attributes["group"] = Attribute.of(1)
        op = Conv.from_attributes(Attributes(node.name, node.op.op_type, attributes))
        draft.replace(node, replace(node, op=op, inputs=(node.inputs[0], dense, *node.inputs[2:])))
    return draft.graph()


def _dense(weights: Array, group: int) -> Array:
    """Weights ``[N, C / group, ...]`` as ``[N, C, ...]`` with zeros between the groups."""
    outputs, inputs = weights.shape[0] // group, weights.shape[1]
    dense = np.zeros((weights.shape[0], inputs * group, *weights.shape[2:]), weights.dtype)
    for index in range(group):
        rows = slice(index * outputs, (index + 1) * outputs)
        dense[rows, index * inputs : (index + 1) * inputs] = weights[rows]
    return dense
