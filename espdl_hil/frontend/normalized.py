"""Normalizations that ESP-DL lacks, by the one over whole rows that it has.

Before::

    y = InstanceNormalization(x, s, b)

After::

    r = Reshape(x, [1, groups, -1])
    n = LayerNormalization(r, ones, axis=2)
    t = Reshape(n, shape of x)
    y = Add(Mul(t, s), b)

An instance is a group of one channel; Mul and Add by ones and zeros are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.types import Array
from espdl_hil.ops.add import Add
from espdl_hil.ops.layer_normalization import LayerNormalization
from espdl_hil.ops.mul import Mul


def instance_normalization(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Each channel of a sample has its own mean and variance."""
    steps = Steps(node, scope)
    epsilon = node.typed(scope.opset).number("epsilon", 1e-5)
    channels = steps.shape(node.inputs[0])[1]
    return _normalized(steps, channels, epsilon, scope.constant(node, 1), scope.constant(node, 2))


def group_normalization(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Several channels share mean and variance; as of opset 21, which replaced that of 18."""
    steps = Steps(node, scope)
    read = node.typed(scope.opset)
    groups = read.integer("num_groups")
    channels = steps.shape(node.inputs[0])[1]
    if groups < 1 or channels % groups:
        raise ModelError(f"{channels} channels in {groups} groups", node=node.name)
    scale, bias = scope.constant(node, 1), scope.constant(node, 2)
    return _normalized(steps, groups, read.number("epsilon", 1e-5), scale, bias)


def mean_variance_normalization(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Mean and variance over batch and places, or over all axes behind the batch."""
    steps = Steps(node, scope)
    shape = steps.shape(node.inputs[0])
    given = node.typed(scope.opset).integers("axes", (0, 2, 3))
    axes = sorted(axis % len(shape) for axis in given)
    trailing = list(range(2, len(shape)))
    if shape[0] != 1 or axes not in ([0, *trailing], trailing, [0, 1, *trailing], [1, *trailing]):
        raise ModelError(
            f"mean and variance over axes {axes}",
            node=node.name,
            hint="ESP-DL normalizes the last axes: transpose first",
        )
    groups = 1 if 1 in axes else shape[1]
    # ONNX adds 1e-9 to the standard deviation.
    return _normalized(steps, groups, 1e-9, np.ones(shape[1]), np.zeros(shape[1]))


def _normalized(
    steps: Steps, groups: int, epsilon: float, scale: Array, bias: Array
) -> Sequence[OnnxNode]:
    """Rows of ``groups`` normalized, then scaled and moved by one number per channel."""
    x = steps.node.inputs[0]
    shape = steps.shape(x)
    if shape[0] != 1:
        raise ModelError(f"{shape[0]} samples at once", node=steps.node.name)
    rows = (1, groups, int(np.prod(shape)) // groups)
    flat = steps.reshape("rows", x, rows)
    ones = steps.constant("ones", np.ones(rows[2], dtype=np.float32))
    value = steps.do(
        LayerNormalization.op_type, "normal", (flat, ones), rows, axis=2, epsilon=float(epsilon)
    )
    value = steps.reshape("shaped", value, shape)
    per_channel = (-1, *(1,) * (len(shape) - 2))
    if np.any(scale != 1.0):
        factor = steps.constant("scale", scale.astype(np.float32).reshape(per_channel))
        value = steps.do(Mul.op_type, "scaled", (value, factor), shape)
    if np.any(bias):
        offset = steps.constant("bias", bias.astype(np.float32).reshape(per_channel))
        return steps.end(Add.op_type, (value, offset))
    return steps.finish(value)
