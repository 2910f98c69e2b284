"""Recognize Swish, and HardSwish.

Before::

    s = Sigmoid(x)          s = HardSigmoid(x, alpha=1/6, beta=1/2)
    y = Mul(x, s)           y = Mul(x, s)

After::

    y = Swish(x)            y = HardSwish(x)

One table in int8 instead of a table and a product, and no range for ``s``.
"""

from __future__ import annotations

from espdl_hil.ir.attributes import Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import Operator
from espdl_hil.ops.hard_sigmoid import HardSigmoid
from espdl_hil.ops.hard_swish import HardSwish
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.sigmoid import Sigmoid
from espdl_hil.ops.swish import Swish
from espdl_hil.passes.edit import Draft, only_reader, readers


def fuse_swish(graph: Graph) -> Graph:
    """The graph with each ``x * sigmoid(x)`` as one node."""
    by_value = readers(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        gated = _gated(node.op)
        if gated is None:
            continue
        product = only_reader(graph, by_value, node.outputs[0])
        if product is None or not isinstance(product.op, Mul):
            continue
        if sorted(product.inputs) != sorted((node.inputs[0], node.outputs[0])):
            continue
        op = gated.from_attributes(Attributes(product.name, gated.op_type, {}))
        draft.replace(node)
        draft.replace(product, Node(product.name, op, (node.inputs[0],), product.outputs))
    return draft.graph()


def _gated(gate: Operator) -> type[Operator] | None:
    """What ``x * gate(x)`` is called."""
    if isinstance(gate, Sigmoid):
        return Swish
    if isinstance(gate, HardSigmoid) and gate.beta == 0.5 and abs(gate.alpha - 1 / 6) < 1e-6:
        return HardSwish
    return None
