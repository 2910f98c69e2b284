"""Our lowering of a graph with the exponents of somebody else's file.

The law of this file: it takes exponents and widths from the peer and nothing else; layouts,
bytes and nodes stay ours.
"""

from __future__ import annotations

from dataclasses import replace

from espdl_hil.ir.graph import QuantModel
from espdl_hil.ir.lowered import LoweredModel, LoweredNode
from espdl_hil.ir.types import DType, QuantParams

_BITS = {DType.INT8: 8, DType.INT16: 16, DType.INT32: 32, DType.INT64: 64}


def with_exponents_of(quant: QuantModel, peer: LoweredModel) -> QuantModel:
    """``quant`` with the peer's exponent for each value and edge that has a twin in ``peer``.

    Values are found by name, nodes by the name of their first output.
    """
    makers = {output: node for node in peer.nodes for output in node.outputs}
    values = dict(quant.values)
    for name in values:
        info = peer.values.get(name)
        if info is not None and info.dtype in _BITS:
            values[name] = QuantParams(info.exponents, _BITS[info.dtype])
    edges = dict(quant.edges)
    for node in quant.graph.nodes:
        twin = makers.get(node.outputs[0])
        for index, value in enumerate(node.inputs):
            known = edges.get((node.name, index), values.get(value))
            wanted = None if known is None or twin is None else _input(peer, twin, index, known)
            if wanted is None:
                continue
            if value in quant.graph.constants or values.get(value) != wanted:
                edges[node.name, index] = wanted
            else:
                edges.pop((node.name, index), None)
    return replace(quant, values=values, edges=edges)


def _input(
    peer: LoweredModel, twin: LoweredNode, index: int, known: QuantParams
) -> QuantParams | None:
    """What the peer's node takes at ``index``; ``None`` where it takes no integers there."""
    if index >= len(twin.inputs) or not twin.inputs[index]:
        return None
    name = twin.inputs[index]
    stored = peer.parameters.get(name) or peer.values[name]
    if stored.dtype not in _BITS or (
        name in peer.parameters and stored.dtype is DType.INT64 and known.bits != 64
    ):
        return None
    exponents = tuple(stored.exponents)
    axis = known.axis
    if len(exponents) == 1:
        axis = None
    elif axis is None:
        axis = 0
    return QuantParams(exponents, _BITS[stored.dtype], axis)
