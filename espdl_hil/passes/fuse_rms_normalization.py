"""Recognize RMSNormalization in its parts.

Before::

    q = ReduceMean(Mul(x, x), axes=-1)
    n = Div(x, Sqrt(Add(q, epsilon)))       (or Mul by a Reciprocal)
    y = Mul(n, scale)

After::

    y = RMSNormalization(x, scale)
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.rms_normalization import RMSNormalization
from espdl_hil.passes.edit import Draft
from espdl_hil.passes.normalizations import Parts, trailing


def fuse_rms_normalization(graph: Graph) -> Graph:
    """The graph with each division by a root mean square as one node."""
    parts = Parts(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        quotient = parts.quotient(node)
        square = None if quotient is None else parts.mean_square(quotient[1])
        if quotient is None or square is None or square[0] != quotient[0]:
            continue
        x, epsilon, axes, below = square
        shape = graph.types[x].shape
        if not trailing(axes, len(shape)):
            continue
        inner = shape[axes[0] :]
        last, scale = parts.scaled(node, Mul, inner)
        nodes = [*([] if last is node else [last]), *quotient[2], *below]
        if not parts.private(nodes):
            continue
        attributes = {"axis": Attribute.of(axes[0]), "epsilon": Attribute.of(epsilon)}
        op = RMSNormalization.from_attributes(
            Attributes(last.name, RMSNormalization.op_type, attributes)
        )
        row = scale if scale.size else np.ones(inner, dtype=np.float32)
        inputs = (x, draft.add_constant(f"{last.name}/scale", row))
        for old in nodes:
            draft.replace(old)
        draft.replace(last, Node(last.name, op, inputs, last.outputs))
    return draft.graph()
