"""Masks of minus infinity, as integers can hold them.

Before::

    y = Add(x, mask)                 (mask: 0, and -inf or -1e9 for what a softmax shall not see)

After::

    t = Add(x, mask')                (mask': 0, and -15.75)
    y = Clip(t, -15.75)

What is hidden has at most ``exp(-15.75)``, 1.4e-7, of the weight that it would have; the results of
a softmax have steps of 2**-15 at best. A deeper mask would cost the scores their precision: the
range of the sum would be the mask's.
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.graph import Graph
from espdl_hil.ir.operator import ExponentRule
from espdl_hil.ops._softmax import Normalizing
from espdl_hil.ops.add import Add
from espdl_hil.ops.clip import Clip
from espdl_hil.passes.edit import Draft, constant_operand, readers

HIDING = 15.75
"""A step below a power of two, so that it does not cost the range a bit."""

INFINITE = -1e4
"""What is below stands for minus infinity; models in float16 write -10000 or -65504."""


def seen_by_softmax(graph: Graph, value: str) -> bool:
    """Whether nothing but a softmax reads ``value``, perhaps after its elements have moved."""
    found = readers(graph).get(value, ())
    return (
        bool(found)
        and value not in graph.outputs
        and all(
            isinstance(node.op, Normalizing)
            or (
                node.op.traits.exponents is ExponentRule.PASSIVE
                and seen_by_softmax(graph, node.outputs[0])
            )
            for node in found
        )
    )


def bound_masks(graph: Graph) -> Graph:
    """The graph with masks of minus infinity as bounded ones."""
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Add):
            continue
        operands = constant_operand(node, graph.constants)
        if operands is None:
            continue
        value, constant = operands
        mask = graph.constants[constant].astype(np.float32)
        hidden = mask <= INFINITE
        if not hidden.any() or not seen_by_softmax(graph, node.outputs[0]):
            continue
        bounded = draft.add_constant(
            f"{constant}_bounded", np.where(hidden, np.float32(-HIDING), mask)
        )
        low = draft.add_constant(f"{node.name}/low", np.float32(-HIDING))
        shape = graph.types[node.outputs[0]].shape
        first = draft.step(Add, draft.free_node(f"{node.name}/masked"), (value, bounded), shape)
        clip = draft.node(Clip, node.name, (first.outputs[0], low), node.outputs[0])
        draft.replace(node, first, clip)
    return draft.graph()
