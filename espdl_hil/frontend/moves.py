"""Operators that move elements, in the forms that ESP-DL computes as ONNX means them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.attributes import Attribute


def depth_to_space(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = DepthToSpace(x, mode=DCR)``; after: Reshape, Transpose, Reshape.

    ESP-DL mixes up the indices of this mode unless the output has as many channels as the block
    is long.
    """
    read = node.typed(scope.opset)
    block = read.integer("blocksize")
    shape = scope.shape(node, node.outputs[0])
    if read.text("mode", "DCR") != "DCR" or shape[1] == block:
        return (node,)
    batch, channels, height, width = scope.shape(node, node.inputs[0])
    depth = channels // (block * block)
    split = (batch * block, block, depth, height, width)
    return _permuted(node, scope, split, (2, 3, 0, 4, 1))


def space_to_depth(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = SpaceToDepth(x)``; after: Reshape, Transpose, Reshape.

    ONNX counts the channels of a block last, ESP-DL counts them first: equal for one channel.
    """
    block = node.typed(scope.opset).integer("blocksize")
    batch, channels, height, width = scope.shape(node, node.inputs[0])
    if channels == 1:
        return (node,)
    split = (batch * channels, height // block, block, width // block, block)
    return _permuted(node, scope, split, (2, 4, 0, 1, 3))


def _permuted(
    node: OnnxNode, scope: Scope, split: tuple[int, ...], perm: tuple[int, ...]
) -> Sequence[OnnxNode]:
    """``x`` reshaped to ``split``, transposed, and reshaped to the shape of ``y``."""
    x, y = node.inputs[0], node.outputs[0]
    apart = scope.add_value(f"{node.name}/apart", like=x, shape=split)
    moved = scope.add_value(f"{node.name}/moved", like=x, shape=tuple(split[axis] for axis in perm))
    return (
        reshaped(f"{node.name}/split", scope, x, apart),
        OnnxNode(
            f"{node.name}/transpose", "Transpose", (apart,), (moved,), {"perm": Attribute.of(perm)}
        ),
        reshaped(node.name, scope, moved, y),
    )


def reshaped(name: str, scope: Scope, given: str, result: str) -> OnnxNode:
    """A Reshape from one known value to another."""
    shape = np.array(scope.types[result].shape, dtype=np.int64)
    return OnnxNode(name, "Reshape", (given, scope.add_constant(f"{name}/shape", shape)), (result,))


def gather(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Gather(x, -1)``; after: ``t = Gather(x, [n - 1])``, ``y = Reshape(t)``.

    The board wraps no negative index, and has no tensor without axes. A constant that is looked up
    by constant indices has been folded before.
    """
    indices = scope.constants.get(node.inputs[1])
    if indices is None:
        raise ModelError(
            "the indices of Gather are computed at run time",
            node=node.name,
            value=node.inputs[1],
            hint="ESP-DL gathers by constant indices only: let the application look them up",
        )
    shape = scope.shape(node, node.inputs[0])
    axis = node.typed(scope.opset).integer("axis", 0) % len(shape)
    counted = indices.astype(np.int64)
    wrapped = np.where(counted < 0, counted + shape[axis], counted)
    if indices.ndim and np.array_equal(wrapped, counted):
        return (node,)
    flat = scope.add_constant(f"{node.name}/indices", wrapped.reshape(wrapped.shape or (1,)))
    attributes = {"axis": Attribute.of(axis)}
    if indices.ndim:
        return (OnnxNode(node.name, "Gather", (node.inputs[0], flat), node.outputs, attributes),)
    kept = (*shape[:axis], 1, *shape[axis + 1 :])
    one = scope.add_value(f"{node.name}/one", like=node.outputs[0], shape=kept)
    return (
        OnnxNode(f"{node.name}/pick", "Gather", (node.inputs[0], flat), (one,), attributes),
        reshaped(node.name, scope, one, node.outputs[0]),
    )


def slices(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Up to opset 9: ``y = Slice(x, starts=[1], ends=[9])``; after: ``y = Slice(x, [1], [9])``."""
    if "starts" not in node.attributes:
        return (node,)
    read = node.typed(scope.opset)
    starts = read.integers("starts")
    axes = read.integers("axes", tuple(range(len(starts))))
    bounds = tuple(
        scope.add_constant(f"{node.name}/{name}", np.array(numbers, dtype=np.int64))
        for name, numbers in (("starts", starts), ("ends", read.integers("ends")), ("axes", axes))
    )
    return (node.changed(inputs=(node.inputs[0], *bounds), attributes={}),)


def pad(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Pad(x, [0, -1, 0, 2])``; after: ``t = Slice(x, ...)``, ``y = Pad(t, ...)``."""
    if "pads" in node.attributes:
        node = _with_pads_as_input(node, scope)
    x, y = node.inputs[0], node.outputs[0]
    shape = scope.shape(node, x)
    if node.typed(scope.opset).text("mode", "constant") == "wrap":
        return _wrapped(node, scope)
    rank = len(shape)
    given = scope.constant(node, 1)
    axes = scope.constant(node, 3) if len(node.inputs) > 3 and node.inputs[3] else range(rank)
    pads = np.zeros((2, rank), dtype=np.int64)
    for index, axis in enumerate(axes):
        pads[:, int(axis) % rank] = given[index], given[index + len(given) // 2]
    if len(node.inputs) > 2 and node.inputs[2] and node.inputs[2] not in scope.constants:
        raise ModelError(
            "the value of Pad is computed at run time", node=node.name, value=node.inputs[2]
        )
    if len(given) == 2 * rank and given.min(initial=0) >= 0:
        return (node,)
    nodes: list[OnnxNode] = []
    if pads.min() < 0:
        cut = np.maximum(-pads, 0)
        ends = np.array(shape) - cut[1]
        if (ends <= cut[0]).any():
            raise ModelError("pads remove more elements than there are", node=node.name)
        bounds = tuple(
            scope.add_constant(f"{node.name}/{name}", numbers.astype(np.int64))
            for name, numbers in (("starts", cut[0]), ("ends", ends), ("axes", np.arange(rank)))
        )
        rest = tuple(int(n) for n in ends - cut[0])
        cropped = scope.add_value(f"{node.name}/cropped", like=x, shape=rest)
        nodes.append(OnnxNode(f"{node.name}/crop", "Slice", (x, *bounds), (cropped,)))
        x = cropped
    every = scope.add_constant(f"{node.name}/pads", np.maximum(pads, 0).ravel())
    padded = replace(node, inputs=(x, every, *node.inputs[2:3]), outputs=(y,))
    return (*nodes, padded)


def _with_pads_as_input(node: OnnxNode, scope: Scope) -> OnnxNode:
    """Up to opset 10: ``Pad(x, pads=[...], value=1.0)``; after: ``Pad(x, pads, value)``."""
    read = node.typed(scope.opset)
    pads = np.array(read.integers("pads"), dtype=np.int64)
    value = np.array(read.number("value", 0.0), dtype=np.float32)
    attributes = {"mode": Attribute.of(read.text("mode", "constant"))}
    inputs = (
        node.inputs[0],
        scope.add_constant(f"{node.name}/pads", pads),
        scope.add_constant(f"{node.name}/value", value),
    )
    return node.changed(inputs=inputs, attributes=attributes)


def _wrapped(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Mode ``wrap``, which ESP-DL does not have: every axis continues from its other end."""
    steps = Steps(node, scope)
    value = node.inputs[0]
    shape = steps.shape(value)
    given = [int(n) for n in scope.constant(node, 1)]
    every = (
        scope.constant(node, 3) if len(node.inputs) > 3 and node.inputs[3] else range(len(shape))
    )
    for index, axis in enumerate(every):
        place = int(axis) % len(shape)
        begin, end = given[index], given[index + len(given) // 2]
        places = [n % shape[place] for n in range(-begin, shape[place] + end)]
        value = steps.gather(f"axis_{place}", value, place, places)
    return steps.finish(value)
