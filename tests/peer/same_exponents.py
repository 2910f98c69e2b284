"""Our lowering of a graph with the exponents of somebody else's file.

The law of this file: it takes exponents and widths from the peer and nothing else; layouts,
bytes and nodes stay ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from espdl_hil.ir.graph import Node, QuantModel
from espdl_hil.ir.lowered import LoweredModel, LoweredNode
from espdl_hil.ir.operator import ExponentRule
from espdl_hil.ir.types import DType, QuantParams

_BITS = {DType.INT8: 8, DType.INT16: 16, DType.INT32: 32, DType.INT64: 64}


def with_exponents_of(quant: QuantModel, peer: LoweredModel) -> QuantModel:
    """``quant`` with the peer's exponent for each value and edge that has a twin in ``peer``.

    Values are found by name; nodes by the name of their first output, else as the only ones left
    of their type, in order. A value of ours that the peer does not have takes the exponent of the
    one that only moves its elements; a bias without a twin has that of the products.
    """
    nodes = quant.graph.nodes
    twins = _twins(nodes, peer)
    names = {name: name for name in quant.values}
    for node in nodes:
        if node.name in twins:
            names.update(zip(node.outputs, twins[node.name].outputs, strict=False))
    values = dict(quant.values)
    found = set()
    for name in values:
        info = peer.values.get(names[name])
        if info is not None and info.dtype in _BITS:
            values[name] = QuantParams(info.exponents, _BITS[info.dtype])
            found.add(name)
    for source, result in (*_moved(nodes[::-1], found, -1), *_moved(nodes, found, 1)):
        if source in values and result in values:
            values[result] = values[source]
    edges = dict(quant.edges)
    for node in nodes:
        twin = twins.get(node.name)
        for index, value in enumerate(node.inputs):
            known = edges.get((node.name, index), values.get(value))
            if known is None:
                continue
            name = twin.inputs[index] if twin and index < len(twin.inputs) else ""
            if twin is None or twin.op_type != node.op.op_type:
                # No twin of the same kind: a constant may still be there under its own name.
                name = value if value in peer.parameters else ""
            wanted = _stored(peer, name, known)
            if wanted is None:
                if value in found:
                    edges.pop((node.name, index), None)
            elif value in quant.graph.constants or values.get(value) != wanted:
                edges[node.name, index] = wanted
            else:
                edges.pop((node.name, index), None)
        if node.op.traits.multiplies and len(node.inputs) > 2 and node.inputs[2]:
            bias = edges[node.name, 2]
            given = edges.get((node.name, 0), values.get(node.inputs[0]))
            weights = edges[node.name, 1]
            if given is not None:
                sums = tuple(given.exponent + exponent for exponent in weights.exponents)
                edges[node.name, 2] = QuantParams(sums, bias.bits, 0 if len(sums) > 1 else None)
    return replace(quant, values=values, edges=edges)


def _twins(nodes: tuple[Node, ...], peer: LoweredModel) -> dict[str, LoweredNode]:
    """The peer's node for each of ours that has one."""
    makers = {output: node for node in peer.nodes for output in node.outputs}
    twins = {node.name: makers[node.outputs[0]] for node in nodes if node.outputs[0] in makers}
    taken = {node.name for node in twins.values()}
    kinds = {node.op.op_type for node in nodes}
    for kind in kinds:
        ours = [node for node in nodes if node.op.op_type == kind and node.name not in twins]
        rest = [node for node in peer.nodes if node.op_type == kind and node.name not in taken]
        if len(ours) == len(rest):
            twins.update((node.name, twin) for node, twin in zip(ours, rest, strict=True))
    return twins


def _moved(nodes: Iterable[Node], found: set[str], step: int) -> Iterable[tuple[str, str]]:
    """(from, to) for values that have no exponent yet, beside one that has; ``found`` grows."""
    for node in nodes:
        if node.op.traits.exponents is not ExponentRule.PASSIVE:
            continue
        pair = (node.inputs[0], node.outputs[0])
        source, result = pair if step > 0 else pair[::-1]
        if source in found and result not in found:
            found.add(result)
            yield source, result


def _stored(peer: LoweredModel, name: str, known: QuantParams) -> QuantParams | None:
    """What the peer's node takes at an input; ``None`` where it takes no integers there."""
    if not name:
        return None
    stored = peer.parameters.get(name) or peer.values[name]
    if stored.dtype not in _BITS:
        return None
    if name in peer.parameters and _BITS[stored.dtype] != known.bits:
        return None  # a shape, or a constant that is something else there
    exponents = tuple(stored.exponents)
    axis = known.axis
    if len(exponents) == 1:
        axis = None
    elif axis is None:
        axis = 0
    return QuantParams(exponents, _BITS[stored.dtype], axis)
