"""Turn a choice between two values into sums and products with masks of zeros and ones.

Before::

    y = Where(mask, a, b)            (mask: a constant)        c = Greater(u, v)
                                                               y = Where(c, a, b)

After::

    y = Add(Mul(a, m), Mul(b, 1 - m))                          d = Sub(u, v)
                                                               m = Function(d)        (d > 0 as 1)
                                                               y = Add(Mul(a, m), Mul(b, 1 - m))

It runs after the fusion of functions, which takes a Where whose parts depend on one value. Products
with zeros and ones are exact; a condition that is computed is a table, exact in int8 and refused in
int16, which has no table with a jump. A value that stands for minus infinity in front of a softmax
is added instead: see ``bound_masks``.
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.types import DType
from espdl_hil.ops._compare import Comparison
from espdl_hil.ops._visitor import Where
from espdl_hil.ops.add import Add
from espdl_hil.ops.clip import Clip
from espdl_hil.ops.function import Function, Step
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.sub import Sub
from espdl_hil.passes.bound_masks import HIDING, INFINITE, seen_by_softmax
from espdl_hil.passes.edit import Draft, producers, without_idle


def blend_where(graph: Graph) -> Graph:
    """The graph without the Where nodes whose condition is a constant or a comparison."""
    draft = Draft(graph)
    made = producers(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Where) or graph.types[node.outputs[0]].dtype is not DType.FLOAT:
            continue
        condition = node.inputs[0]
        source = made.get(condition)
        if condition in graph.constants:
            draft.replace(node, *_blended(draft, node, None))
        elif source is not None and isinstance(source.op, Comparison):
            draft.replace(node, *_blended(draft, node, source))
    return without_idle(draft.graph())


def _blended(draft: Draft, node: Node, source: Node | None) -> list[Node]:
    nodes: list[Node] = []
    condition, yes, no = node.inputs
    shape = draft.types[node.outputs[0]].shape
    value = ""
    if source is not None:
        value = _compared(draft, node, source, nodes)

    def mask(label: str, true: float, false: float) -> str:
        """The condition as two numbers."""
        name = f"{node.name}/{label}"
        if source is None:
            chosen = np.where(draft.constants[condition], true, false).astype(np.float32)
            return draft.add_constant(name, chosen)
        steps = (
            Step(source.op.op_type, (0, 0.0)),
            Step(Where.op_type, (1, true, false)),
        )
        result = draft.add_value(name, like=value, shape=draft.types[value].shape)
        nodes.append(Node(name, Function(steps), (value,), (result,)))
        return result

    def term(label: str, operand: str, chosen: tuple[float, float]) -> str | None:
        """``operand`` where it is chosen, 0 elsewhere; ``None`` for nothing but 0."""
        name = f"{node.name}/{label}"
        given = draft.constants.get(operand)
        if given is not None:
            if not given.any():
                return None
            if given.size == 1:
                number = float(given.ravel()[0])
                return mask(name, chosen[0] * number, chosen[1] * number)
            if source is None:
                factors = np.where(draft.constants[condition], *chosen).astype(np.float32)
                return draft.add_constant(name, given.astype(np.float32) * factors)
        factor = mask(f"{label}/mask", *chosen)
        full = np.broadcast_shapes(draft.types[operand].shape, draft.types[factor].shape)
        nodes.append(draft.step(Mul, name, (operand, factor), full))
        return nodes[-1].outputs[0]

    for hidden, seen, numbers in ((no, yes, (0.0, -HIDING)), (yes, no, (-HIDING, 0.0))):
        if seen_by_softmax(draft.source, node.outputs[0]) and _hides(draft, hidden):
            moved = draft.step(Add, f"{node.name}/masked", (seen, mask("hidden", *numbers)), shape)
            low = draft.add_constant(f"{node.name}/low", np.float32(-HIDING))
            clip = draft.node(Clip, node.name, (moved.outputs[0], low), node.outputs[0])
            return [*nodes, moved, clip]
    left, right = term("yes", yes, (1.0, 0.0)), term("no", no, (0.0, 1.0))
    # One side is often nothing, and a mask from a comparison may be the result itself.
    if left is None or right is None:
        only = left or right or draft.add_constant(f"{node.name}/zeros", np.zeros(1, np.float32))
        if only not in draft.constants:
            nodes.append(draft.node(Identity, node.name, (only,), node.outputs[0]))
            return nodes
        left, right = only, mask("nothing", 0.0, 0.0)
    pair = (left, right)
    nodes.append(draft.node(Add, node.name, pair, node.outputs[0]))
    return nodes


def _hides(draft: Draft, value: str) -> bool:
    given = draft.constants.get(value)
    return given is not None and bool((given.astype(np.float64) <= INFINITE).all())


def _compared(draft: Draft, node: Node, source: Node, nodes: list[Node]) -> str:
    """What is compared with 0: the difference of the comparison's sides, or its left side."""
    left, right = source.inputs
    zero = draft.constants.get(right)
    if zero is not None and zero.size == 1 and not zero.any():
        return left
    shape = draft.types[source.outputs[0]].shape
    # Its sign is exact: both sides share an exponent, and saturation keeps signs.
    nodes.append(draft.step(Sub, f"{node.name}/difference", (left, right), shape))
    return nodes[-1].outputs[0]
