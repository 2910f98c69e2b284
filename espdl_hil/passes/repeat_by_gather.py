"""Remove Expand: its readers broadcast by themselves, or Gather repeats the elements.

Before::

    t = Expand(x, [1, 4, 6])        (x: [1, 4, 1])        t = Expand(x, [1, 4, 6])
    y = Add(t, z)                                         y = MatMul(t, z)

After::

    y = Add(x, z)                                         t = Gather(x, [0, 0, 0, 0, 0, 0], axis=2)
                                                          y = MatMul(t, z)

It runs after the fusions, which know Expand as part of a pattern.
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import LayoutRule
from espdl_hil.ops._visitor import Expand
from espdl_hil.ops.gather import Gather
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.reshape import Reshape
from espdl_hil.passes.edit import Draft, readers


def repeat_by_gather(graph: Graph) -> Graph:
    """The graph without Expand nodes."""
    draft = Draft(graph)
    by_value = readers(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Expand):
            continue
        given, result = node.inputs[0], node.outputs[0]
        used = by_value.get(result, ())
        if result not in graph.outputs and all(_broadcasts(graph, r, node) for r in used):
            draft.replace(node)
            draft.alias(result, given)
        else:
            draft.replace(node, *repeated(draft, node.name, given, result))
    return draft.graph()


def _broadcasts(graph: Graph, reader: Node, expand: Node) -> bool:
    """Whether ``reader`` computes the same from what is not expanded."""
    if reader.op.traits.layout is not LayoutRule.BROADCAST or len(reader.inputs) != 2:
        return False
    shapes = [
        graph.types[expand.inputs[0] if value == expand.outputs[0] else value].shape
        for value in reader.inputs
    ]
    return np.broadcast_shapes(*shapes) == graph.types[reader.outputs[0]].shape


def repeated(draft: Draft, name: str, given: str, result: str) -> list[Node]:
    """Nodes, the last of them called ``name``, that broadcast ``given`` to the shape of ``result``.

    One Gather along each axis that grows; a Reshape where there are more axes.
    """
    wanted = draft.types[result].shape
    shape = draft.types[given].shape
    nodes: list[Node] = []
    aligned = (1,) * (len(wanted) - len(shape)) + shape
    value = given
    if aligned != shape:
        target = draft.add_constant(f"{name}/aligned/shape", np.array(aligned, dtype=np.int64))
        nodes.append(draft.step(Reshape, f"{name}/aligned", (value, target), aligned))
        value = nodes[-1].outputs[0]
    for axis, (have, want) in enumerate(zip(aligned, wanted, strict=True)):
        if have == want:
            continue
        label = f"{name}/axis_{axis}"
        places = draft.add_constant(f"{label}/indices", np.zeros(want, dtype=np.int64))
        shape = (*draft.types[value].shape[:axis], want, *aligned[axis + 1 :])
        attributes = {"axis": Attribute.of(axis)}
        nodes.append(draft.step(Gather, label, (value, places), shape, attributes))
        value = nodes[-1].outputs[0]
    if not nodes:
        return [draft.node(Identity, name, (given,), result)]
    last = nodes.pop()
    return [*nodes, Node(name, last.op, last.inputs, (result,))]
