"""Undo a Concat whose parts are split apart again.

Before::

    t = Concat(boxes, scores, axis=1);  u = Transpose(t, [0, 2, 1])
    b, s = Split(u, [4, 80], axis=2)

After::

    b = Transpose(boxes, [0, 2, 1]);    s = Transpose(scores, [0, 2, 1])

A Concat has one exponent: beside boxes in hundreds of pixels, scores below 1 would all be 0. End to
end detectors join and part them.
"""

from __future__ import annotations

from collections.abc import Mapping

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.concat import Concat
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.split import Split
from espdl_hil.ops.transpose import Transpose
from espdl_hil.passes.edit import Draft, producers, without_idle

_Perms = list[tuple[int, ...]]


def part_concat(graph: Graph) -> Graph:
    """The graph with every Split along the seams of a Concat reading the Concat's operands."""
    draft = Draft(graph)
    made = producers(graph)
    found = False
    for node in graph.nodes:
        if not isinstance(node.op, Split):
            continue
        joined = _joined(graph, made, node, node.op)
        if joined is None:
            continue
        groups, axis, perms = joined
        nodes: list[Node] = []
        for index, (operands, result) in enumerate(zip(groups, node.outputs, strict=True)):
            nodes += _part(draft, f"{node.name}/{index}", operands, axis, perms, result)
        draft.replace(node, *nodes)
        found = True
    return without_idle(draft.graph()) if found else graph


def _joined(
    graph: Graph, made: Mapping[str, Node], node: Node, op: Split
) -> tuple[list[list[str]], int, _Perms] | None:
    """The Concat's operands for each result, its axis, and the Transposes behind it, in order."""
    value = node.inputs[0]
    axis = op.axis % len(graph.types[value].shape)
    lengths = [graph.types[result].shape[axis] for result in node.outputs]
    perms: _Perms = []
    source = made.get(value)
    while source is not None and isinstance(source.op, Transpose):
        rank = len(graph.types[value].shape)
        perm = tuple(source.op.perm) or tuple(range(rank))[::-1]
        axis, value = perm[axis], source.inputs[0]
        perms.insert(0, perm)
        source = made.get(value)
    if source is None or not isinstance(source.op, Concat):
        return None
    if source.op.axis % len(graph.types[value].shape) != axis:
        return None
    groups: list[list[str]] = []
    waiting = list(source.inputs)
    for length in lengths:
        group: list[str] = []
        while waiting and length > 0:
            group.append(waiting.pop(0))
            length -= graph.types[group[-1]].shape[axis]
        if length or any(operand in graph.constants for operand in group):
            return None
        groups.append(group)
    return groups, axis, perms


def _part(
    draft: Draft, name: str, operands: list[str], axis: int, perms: _Perms, result: str
) -> list[Node]:
    """Nodes that give ``result``: the operands joined, if there are several, and transposed."""
    nodes: list[Node] = []
    value = operands[0]
    if len(operands) > 1:
        shape = list(draft.types[value].shape)
        shape[axis] = sum(draft.types[operand].shape[axis] for operand in operands)
        attributes = {"axis": Attribute.of(axis)}
        nodes.append(draft.step(Concat, name, tuple(operands), tuple(shape), attributes))
        value = nodes[-1].outputs[0]
    for index, perm in enumerate(perms):
        shape_now = tuple(draft.types[value].shape[place] for place in perm)
        attributes = {"perm": Attribute.of(perm)}
        nodes.append(draft.step(Transpose, f"{name}/{index}", (value,), shape_now, attributes))
        value = nodes[-1].outputs[0]
    if not nodes:
        return [draft.node(Identity, name, (value,), result)]
    last = nodes.pop()
    return [*nodes, Node(last.name, last.op, last.inputs, (result,))]
