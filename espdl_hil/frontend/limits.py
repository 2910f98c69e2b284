"""Max and Min, as the operators that ESP-DL has for bounds and for the largest of a row.

Before::

    y = Max(x, 0.5)                y = Max(a, b)

After::

    y = Clip(x, 0.5)               t = Concat(a, b)
                                   y = ReduceMax(t)

Both are exact once the operands share an exponent. ``b + relu(a - b)`` is not: the difference of
two 8-bit integers has nine bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ops.clip import Clip
from espdl_hil.ops.concat import Concat
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.reduce_max import ReduceMax
from espdl_hil.ops.reduce_min import ReduceMin
from espdl_hil.ops.relu import Relu


def maximum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Max(x, 0)``; after: ``y = Relu(x)``; another number is Clip's lower bound."""
    bounded = _bounded(node, scope)
    if bounded is None:
        return _largest(node, scope, ReduceMax.op_type)
    x, bound = bounded
    if bound == 0.0:
        return (OnnxNode(node.name, Relu.op_type, (x,), node.outputs),)
    low = scope.add_constant(f"{node.name}/low", np.float32(bound))
    return (OnnxNode(node.name, Clip.op_type, (x, low), node.outputs),)


def minimum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Min(x, c)``; after: ``y = Clip(x, , c)``."""
    bounded = _bounded(node, scope)
    if bounded is None:
        return _largest(node, scope, ReduceMin.op_type)
    high = scope.add_constant(f"{node.name}/high", np.float32(bounded[1]))
    return (OnnxNode(node.name, Clip.op_type, (bounded[0], "", high), node.outputs),)


def _bounded(node: OnnxNode, scope: Scope) -> tuple[str, float] | None:
    """``(x, number)`` where one activation meets one number that bounds all of it."""
    if len(node.inputs) != 2:
        return None
    activations = [value for value in node.inputs if value not in scope.constants]
    constants = [scope.constants[value] for value in node.inputs if value in scope.constants]
    if len(activations) != 1 or constants[0].size != 1:
        return None
    if scope.shape(node, activations[0]) != scope.shape(node, node.outputs[0]):
        return None
    return activations[0], float(constants[0].ravel()[0])


def _largest(node: OnnxNode, scope: Scope, kind: str) -> Sequence[OnnxNode]:
    """The operands side by side, and the largest or smallest of them at each place."""
    if len(node.inputs) == 1:
        return (OnnxNode(node.name, Identity.op_type, node.inputs, node.outputs),)
    steps = Steps(node, scope)
    shape = steps.shape(node.outputs[0])
    # A sample's axis of length 1 serves to stack them, and leaves the order of axes alone.
    stacked = shape if shape[:1] == (1,) else (1, *shape)
    parts = []
    for index, value in enumerate(node.inputs):
        full = steps.expand(f"expanded_{index}", value, shape)
        if full in scope.constants:
            full = steps.constant(f"operand_{index}", scope.constants[full].reshape(stacked))
        parts.append(steps.reshape(f"stacked_{index}", full, stacked))
    joined = steps.do(Concat.op_type, "joined", parts, (len(parts), *stacked[1:]), axis=0)
    axes = steps.constant("axes", np.array([0], dtype=np.int64))
    keep = int(stacked is shape)
    return steps.end(kind, (joined, axes), keepdims=keep, noop_with_empty_axes=0)
