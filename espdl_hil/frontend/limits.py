"""Max and Min with a constant, as the operators that ESP-DL has for bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ops.clip import Clip
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.relu import Relu


def maximum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Max(x, 0)``; after: ``y = Relu(x)``; another number is Clip's lower bound."""
    bounded = _bounded(node, scope)
    if bounded is None:
        return (OnnxNode(node.name, Identity.op_type, node.inputs, node.outputs),)
    x, bound = bounded
    if bound == 0.0:
        return (OnnxNode(node.name, Relu.op_type, (x,), node.outputs),)
    low = scope.add_constant(f"{node.name}/low", np.float32(bound))
    return (OnnxNode(node.name, Clip.op_type, (x, low), node.outputs),)


def minimum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Min(x, c)``; after: ``y = Clip(x, , c)``."""
    bounded = _bounded(node, scope)
    if bounded is None:
        return (OnnxNode(node.name, Identity.op_type, node.inputs, node.outputs),)
    high = scope.add_constant(f"{node.name}/high", np.float32(bounded[1]))
    return (OnnxNode(node.name, Clip.op_type, (bounded[0], "", high), node.outputs),)


def _bounded(node: OnnxNode, scope: Scope) -> tuple[str, float] | None:
    """``(x, number)``; ``None`` for a node with one input.

    Raises:
        ModelError: several activations, or bounds that differ from place to place.
    """
    if len(node.inputs) == 1:
        return None
    activations = [value for value in node.inputs if value not in scope.constants]
    constants = [scope.constants[value] for value in node.inputs if value in scope.constants]
    shape = scope.shape(node, node.outputs[0])
    if (
        len(node.inputs) != 2
        or len(activations) != 1
        or constants[0].size != 1
        or scope.shape(node, activations[0]) != shape
    ):
        raise ModelError(
            f"{node.op_type} of several activations: ESP-DL has no kernel for it",
            node=node.name,
            hint="max(a, b) is b + relu(a - b), min(a, b) is b - relu(b - a)",
        )
    return activations[0], float(constants[0].ravel()[0])
