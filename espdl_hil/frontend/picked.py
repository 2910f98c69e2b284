"""Elements picked by constant places, and repeated ones: as Gather, which ESP-DL has.

The law of this file: nothing is computed, elements only move.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope

Indices = npt.NDArray[np.int64]

_CUT = (
    "ESP-DL looks up by constant places only: end the model in front of it (--end-at VALUE, "
    "outputs=[...])"
)


def tile(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Tile(x, [1, 2])``; after: ``y = Gather(x, [0, 1, 0, 1], axis=1)``."""
    steps = Steps(node, scope)
    value = node.inputs[0]
    for axis, count in enumerate(scope.constant(node, 1).ravel()):
        every = list(range(steps.shape(value)[axis])) * int(count)
        value = steps.gather(f"axis_{axis}", value, axis, every)
    return steps.finish(value)


def gather_nd(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = GatherND(x, i)``; after: ``y = Reshape(Gather(Reshape(x, [-1, …]), i'))``."""
    indices = _places(node, scope)
    steps = Steps(node, scope)
    shape = steps.shape(node.inputs[0])
    batch, depth = node.typed(scope.opset).integer("batch_dims", 0), indices.shape[-1]
    leading = shape[: batch + depth]
    wrapped = np.where(indices < 0, indices + np.array(shape[batch : batch + depth]), indices)
    parts = [wrapped[..., axis] for axis in range(depth)]
    for axis in range(batch):
        own = np.arange(shape[axis]).reshape((-1, *(1,) * (wrapped.ndim - 2 - axis)))
        parts.insert(axis, np.broadcast_to(own, wrapped.shape[:-1]))
    return _looked_up(steps, leading, parts)


def gather_elements(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = GatherElements(x, i)``; after: the same, with every axis counted."""
    indices = _places(node, scope)
    steps = Steps(node, scope)
    shape = steps.shape(node.inputs[0])
    axis = node.typed(scope.opset).integer("axis", 0) % len(shape)
    places: list[Indices] = [*np.indices(indices.shape, dtype=np.int64)]
    places[axis] = np.where(indices < 0, indices + shape[axis], indices)
    return _looked_up(steps, shape, places)


def _places(node: OnnxNode, scope: Scope) -> Indices:
    if node.inputs[1] not in scope.constants:
        raise ModelError(
            f"the indices of {node.op_type} are computed at run time",
            node=node.name,
            value=node.inputs[1],
            hint=_CUT,
        )
    return scope.constants[node.inputs[1]].astype(np.int64)


def _looked_up(
    steps: Steps, leading: tuple[int, ...], places: Sequence[Indices]
) -> Sequence[OnnxNode]:
    """The slices at ``places`` of the axes ``leading``, which become one axis."""
    x = steps.node.inputs[0]
    if any(((part < 0) | (part >= n)).any() for part, n in zip(places, leading, strict=True)):
        raise ModelError("an index lies outside the data", node=steps.node.name)
    flat = np.ravel_multi_index(tuple(places), leading).ravel()
    rows = steps.reshape("flat", x, (int(np.prod(leading)), *steps.shape(x)[len(leading) :]))
    return steps.finish(steps.gather("picked", rows, 0, [int(place) for place in flat]))
