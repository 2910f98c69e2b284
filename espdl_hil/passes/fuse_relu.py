"""Fuse Relu into the convolution, Gemm or MatMul before it.

Before::

    t = Conv(x, w, b)
    y = Relu(t)

After::

    y = Conv(x, w, b, activation=Relu)

The board rectifies before it stores, so ``t`` needs neither memory nor a range.
"""

from __future__ import annotations

from dataclasses import replace

from espdl_hil.ir.graph import Graph
from espdl_hil.passes.edit import Draft, only_reader, readers


def fuse_relu(graph: Graph) -> Graph:
    """The graph with each Relu that is the only reader of a MAC operator fused into it."""
    by_value = readers(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        if not node.op.traits.multiplies:
            continue
        follower = only_reader(graph, by_value, node.outputs[0])
        if follower is None or not follower.op.traits.rectifies:
            continue
        draft.replace(node, replace(node, op=node.op.rectified(), outputs=follower.outputs))
        draft.replace(follower)
    return draft.graph()
