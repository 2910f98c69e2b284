"""Recognize LayerNormalization in its parts.

Before::

    m = ReduceMean(x, axes=-1)
    d = Sub(x, m)
    v = ReduceMean(Mul(d, d), axes=-1)
    n = Div(d, Sqrt(Add(v, epsilon)))
    y = Add(Mul(n, scale), bias)

After::

    y = LayerNormalization(x, scale, bias)

The board computes it in float32 from one integer tensor to another; its parts would each round, and
the square of a difference has twice the range in bits.
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.add import Add
from espdl_hil.ops.layer_normalization import LayerNormalization
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.reduce_mean import ReduceMean
from espdl_hil.ops.sub import Sub
from espdl_hil.passes.edit import Draft
from espdl_hil.passes.normalizations import Parts, trailing


def fuse_layer_normalization(graph: Graph) -> Graph:
    """The graph with each layer normalization as one node."""
    parts = Parts(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        quotient = parts.quotient(node)
        square = None if quotient is None else parts.mean_square(quotient[1])
        if quotient is None or square is None or square[0] != quotient[0]:
            continue
        _, epsilon, axes, below = square
        difference = parts.by(square[0], Sub)
        mean = None if difference is None else parts.reduction(difference.inputs[1], ReduceMean)
        if difference is None or mean is None or mean[1] != axes:
            continue
        x = difference.inputs[0]
        shape = graph.types[x].shape
        if mean[0].inputs[0] != x or not trailing(axes, len(shape)):
            continue
        inner = shape[axes[0] :]
        scaled, scale = parts.scaled(node, Mul, inner)
        last, bias = parts.scaled(scaled, Add, inner)
        nodes = list({n.name: n for n in (last, scaled, *quotient[2])}.values())
        nodes += [*below, difference, mean[0]]
        if not parts.private(nodes):
            continue
        attributes = {"axis": Attribute.of(axes[0]), "epsilon": Attribute.of(epsilon)}
        op = LayerNormalization.from_attributes(
            Attributes(last.name, LayerNormalization.op_type, attributes)
        )
        ones = scale if scale.size else np.ones(inner, dtype=np.float32)
        inputs = [x, draft.add_constant(f"{last.name}/scale", ones)]
        if bias.size:
            inputs.append(draft.add_constant(f"{last.name}/bias", bias))
        for old in nodes:
            draft.replace(old)
        draft.replace(last, Node(last.name, op, tuple(inputs), last.outputs))
    return draft.graph()
