"""Recognize LpNormalization in its parts.

Before::

    l = ReduceL2(x, axes=[1])               (or ReduceL1)
    c = Expand(Clip(l, 1e-12), shape)
    y = Div(x, c)

After::

    y = LpNormalization(x, axis=1, p=2)

The bound only keeps zero vectors from a division by zero, and the board gives zero for those too.
"""

from __future__ import annotations

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops._visitor import Expand
from espdl_hil.ops.clip import Clip
from espdl_hil.ops.div import Div
from espdl_hil.ops.lp_normalization import LpNormalization
from espdl_hil.ops.reduce_l1 import ReduceL1
from espdl_hil.ops.reduce_l2 import ReduceL2
from espdl_hil.passes.edit import Draft
from espdl_hil.passes.normalizations import Parts

_LARGEST_BOUND = 1e-6  # below the step of any value that a board divides


def fuse_lp_normalization(graph: Graph) -> Graph:
    """The graph with each division of a vector by its length as one node."""
    parts = Parts(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Div):
            continue
        x, length = node.inputs
        nodes = [node]
        repeated = parts.by(length, Expand)
        if repeated is not None:
            nodes.append(repeated)
            length = repeated.inputs[0]
        bounded = parts.by(length, Clip)
        if bounded is None or not _only_above_zero(parts, bounded):
            continue
        nodes.append(bounded)
        for kind, p in ((ReduceL2, 2), (ReduceL1, 1)):
            found = parts.reduction(bounded.inputs[0], kind)
            if found is None or found[0].inputs[0] != x or len(found[1]) != 1:
                continue
            nodes.append(found[0])
            if not parts.private(nodes):
                continue
            attributes = {"axis": Attribute.of(found[1][0]), "p": Attribute.of(p)}
            op = LpNormalization.from_attributes(
                Attributes(node.name, LpNormalization.op_type, attributes)
            )
            for old in nodes:
                draft.replace(old)
            draft.replace(node, Node(node.name, op, (x,), node.outputs))
    return draft.graph()


def _only_above_zero(parts: Parts, clip: Node) -> bool:
    """Whether the Clip only keeps a length from being zero."""
    if len(clip.inputs) > 2 and clip.inputs[2]:
        return False
    low = parts.constant(clip.inputs[1]) if len(clip.inputs) > 1 else None
    return low is not None and 0.0 < float(low.ravel()[0]) <= _LARGEST_BOUND
