"""What a target cannot compute, found before any time is spent on calibration."""

from __future__ import annotations

from espdl_hil.errors import ModelError, UnsupportedOperatorError
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import LayoutRule, LoweringSite, Site
from espdl_hil.lowering.axes import identity
from espdl_hil.targets import Target


def check(graph: Graph, target: Target, bits: int) -> tuple[ModelError, ...]:
    """Why ``target`` cannot compute ``graph``, or would compute it wrongly.

    Returns:
        One finding per node, each with operator, name and reason; empty for a good graph.
    """
    findings: list[ModelError] = []
    for node in graph.nodes:
        if not node.op.can_be_lowered():
            kind = node.op.op_type
            findings.append(
                UnsupportedOperatorError(kind, node=node.name, hint="it cannot be quantized")
            )
            continue
        try:
            _refuse_batch(graph, node)
            node.op.check(_site(graph, node, target, bits))
        except ModelError as finding:
            # Operators never see the graph: who and where is added here.
            what = f"{node.op.op_type}: {finding.what}"
            findings.append(ModelError(what, node=node.name, hint=finding.hint))
    return tuple(findings)


def _refuse_batch(graph: Graph, node: Node) -> None:
    """Image operators read one image, whatever the shape says."""
    shape = graph.types[node.inputs[0]].shape
    if node.op.traits.layout is LayoutRule.CHANNELS_LAST and len(shape) > 2 and shape[0] != 1:
        raise ModelError(
            f"{shape[0]} images at once", hint="the board computes one: export with batch 1"
        )


def _site(graph: Graph, node: Node, target: Target, bits: int) -> LoweringSite:
    def site(value: str) -> Site:
        shape = graph.types[value].shape
        return Site(value, shape, identity(len(shape)), None, graph.constants.get(value))

    return LoweringSite(
        node=node.name,
        target=target,
        bits=bits,
        inputs=tuple(site(value) if value else None for value in node.inputs),
        outputs=tuple(site(value) for value in node.outputs),
    )
