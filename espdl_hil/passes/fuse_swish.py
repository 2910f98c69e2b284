"""Recognize Swish.

Before::

    s = Sigmoid(x)
    y = Mul(x, s)

After::

    y = Swish(x)

One table in int8 instead of a table and a product, and no range for ``s``.
"""

from __future__ import annotations

from espdl_hil.ir.attributes import Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.sigmoid import Sigmoid
from espdl_hil.ops.swish import Swish
from espdl_hil.passes.edit import Draft, only_reader, readers


def fuse_swish(graph: Graph) -> Graph:
    """The graph with each ``x * sigmoid(x)`` as one Swish."""
    by_value = readers(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Sigmoid):
            continue
        product = only_reader(graph, by_value, node.outputs[0])
        if product is None or not isinstance(product.op, Mul):
            continue
        if sorted(product.inputs) != sorted((node.inputs[0], node.outputs[0])):
            continue
        swish = Swish.from_attributes(Attributes(product.name, Swish.op_type, {}))
        draft.replace(node)
        draft.replace(product, Node(product.name, swish, (node.inputs[0],), product.outputs))
    return draft.graph()
