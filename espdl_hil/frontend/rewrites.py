"""Exact rewritings of ONNX nodes into operators that ESP-DL has, at the door.

The law of this file: a rewriting keeps the outputs for every input. It sees one node; what needs
its neighbours is a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from espdl_hil.errors import ModelError, UnsupportedAttributeError
from espdl_hil.frontend.attention import attention
from espdl_hil.frontend.einsum import einsum
from espdl_hil.frontend.limits import maximum, minimum
from espdl_hil.frontend.moves import depth_to_space, gather, pad, slices, space_to_depth
from espdl_hil.frontend.normalized import (
    group_normalization,
    instance_normalization,
    mean_variance_normalization,
)
from espdl_hil.frontend.picked import gather_elements, gather_nd, tile
from espdl_hil.frontend.pools import average_pool, max_pool
from espdl_hil.frontend.recurrent import gru, lstm, rnn
from espdl_hil.frontend.resized import resize, upsample
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.frontend.sums import gemm, mean, parametric_relu, running_sum, triangle
from espdl_hil.frontend.transposed import conv_transpose
from espdl_hil.frontend.windows import conv
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.types import DType


def _batch_normalization(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = BatchNormalization(x, s, b, m, v)``; after: ``y = Add(Mul(x, s'), b')``."""
    if node.typed(scope.opset).integer("training_mode", 0):
        raise UnsupportedAttributeError(
            "training_mode", 1, "only 0", node=node.name, hint="export the model in eval mode"
        )
    scale, bias, mean, variance = (
        scope.constant(node, index).astype(np.float64) for index in range(1, 5)
    )
    epsilon = node.typed(scope.opset).number("epsilon", 1e-5)
    factor = scale / np.sqrt(variance + epsilon)
    x, y = node.inputs[0], node.outputs[0]
    # [C] stands on axis 1: [C, 1, 1] for images.
    shape = (-1, *(1,) * max(len(scope.shape(node, x)) - 2, 0))
    scaled = scope.add_value(f"{node.name}/scaled", like=y)
    factors = scope.add_constant(f"{node.name}/factor", factor.reshape(shape).astype(np.float32))
    offsets = scope.add_constant(
        f"{node.name}/offset", (bias - mean * factor).reshape(shape).astype(np.float32)
    )
    return (
        OnnxNode(f"{node.name}/scale", "Mul", (x, factors), (scaled,)),
        OnnxNode(node.name, "Add", (scaled, offsets), (y,)),
    )


def _cast(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Cast(c, to=FLOAT)``, ``c`` a condition; after: ``y = Where(c, 1, 0)``."""
    given, to = scope.types[node.inputs[0]].dtype, scope.types[node.outputs[0]].dtype
    if given is to:
        return (OnnxNode(node.name, "Identity", node.inputs, node.outputs),)
    if given is not DType.BOOL or to is not DType.FLOAT:
        return (node,)
    numbers = [
        scope.add_constant(f"{node.name}/{name}", np.float32(number))
        for name, number in (("one", 1.0), ("zero", 0.0))
    ]
    return (OnnxNode(node.name, "Where", (node.inputs[0], *numbers), node.outputs),)


def _dropout(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Dropout(x)``; after: ``y = Identity(x)``."""
    if len(node.outputs) > 1:
        raise ModelError(
            "the mask of Dropout is used", node=node.name, hint="export the model in eval mode"
        )
    return (OnnxNode(node.name, "Identity", node.inputs[:1], node.outputs),)


def _divide(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Div(x, c)``; after: ``y = Mul(x, 1 / c)``, for a constant ``c``."""
    if node.inputs[1] not in scope.constants:
        return (node,)
    divisor = scope.constant(node, 1).astype(np.float64)
    if not np.all(divisor):
        raise ModelError("division by a constant zero", node=node.name, value=node.inputs[1])
    inverse = scope.add_constant(f"{node.name}/inverse", (1.0 / divisor).astype(np.float32))
    return (OnnxNode(node.name, "Mul", (node.inputs[0], inverse), node.outputs),)


def _power(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Pow(x, 2)``; after: ``y = Mul(x, x)``; and the like for 1 and 0.5."""
    exponent = scope.constants.get(node.inputs[1])
    x = node.inputs[0]
    if exponent is None or exponent.size != 1 or x in scope.constants:
        return (node,)
    match float(exponent.ravel()[0]):
        case 1.0:
            return (OnnxNode(node.name, "Identity", (x,), node.outputs),)
        case 2.0:
            return (OnnxNode(node.name, "Mul", (x, x), node.outputs),)
        case 0.5:
            return (OnnxNode(node.name, "Sqrt", (x,), node.outputs),)
        case _:
            return (node,)


def _sum(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Sum(a, b, c)``; after: ``y = Add(Add(a, b), c)``."""
    if len(node.inputs) == 1:
        return (OnnxNode(node.name, "Identity", node.inputs, node.outputs),)
    nodes: list[OnnxNode] = []
    left = node.inputs[0]
    for index, right in enumerate(node.inputs[1:], start=1):
        last = index == len(node.inputs) - 1
        shape = np.broadcast_shapes(scope.shape(node, left), scope.shape(node, right))
        name = node.name if last else f"{node.name}/{index}"
        to = node.outputs[0] if last else scope.add_value(name, like=left, shape=shape)
        nodes.append(OnnxNode(name, "Add", (left, right), (to,)))
        left = to
    return nodes


def _global_max_pool(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = GlobalMaxPool(x)``; after: ``y = MaxPool(x, kernel_shape=spatial)``."""
    kernel = scope.shape(node, node.inputs[0])[2:]
    attributes = {
        "kernel_shape": Attribute.of(kernel),
        "strides": Attribute.of((1,) * len(kernel)),
    }
    return (OnnxNode(node.name, "MaxPool", node.inputs, node.outputs, attributes),)


def _reshape(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Reshape(x, [0, -1])``; after: ``y = Reshape(x, [1, 64])``."""
    scope.constant(node, 1)
    shape = scope.shape(node, node.outputs[0])
    target = scope.add_constant(f"{node.name}/shape", np.array(shape, dtype=np.int64))
    return (OnnxNode(node.name, node.op_type, (node.inputs[0], target), node.outputs),)


def _squeeze(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``y = Squeeze(x)``; after: ``y = Squeeze(x, axes)``."""
    if "axes" in node.attributes or (len(node.inputs) > 1 and node.inputs[1]):
        return (node,)
    axes = [axis for axis, n in enumerate(scope.shape(node, node.inputs[0])) if n == 1]
    name = scope.add_constant(f"{node.name}/axes", np.array(axes, dtype=np.int64))
    return (OnnxNode(node.name, node.op_type, (node.inputs[0], name), node.outputs),)


def _softmax(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before opset 13 Softmax works on ``[prod(shape[:axis]), prod(shape[axis:])]``.

    Before: ``y = Softmax(x, axis=1)`` of ``[1, 10]``; after: the same with opset 13's meaning.
    """
    rank = len(scope.shape(node, node.inputs[0]))
    old = scope.opset < 13
    axis = node.typed(scope.opset).integer("axis", 1 if old else -1) % max(rank, 1)
    if old:
        wide = [i for i, n in enumerate(scope.shape(node, node.inputs[0])) if i >= axis and n > 1]
        if len(wide) > 1:
            raise UnsupportedAttributeError(
                "axis",
                axis,
                "before opset 13 only the last axis",
                node=node.name,
                hint="export the model with opset 13 or later",
            )
        axis = wide[0] if wide else rank - 1
    return (replace(node, attributes={"axis": Attribute.of(axis)}),)


def _split(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Before: ``a, b = Split(x)``; after: ``a, b = Split(x, [n, n])``."""
    axis = node.typed(scope.opset).integer("axis", 0)
    axis %= len(scope.shape(node, node.inputs[0]))
    sizes = [scope.shape(node, value)[axis] for value in node.outputs]
    split = scope.add_constant(f"{node.name}/split", np.array(sizes, dtype=np.int64))
    attributes = {"axis": Attribute.of(axis)}
    return (OnnxNode(node.name, node.op_type, (node.inputs[0], split), node.outputs, attributes),)


Rewrite = Callable[[OnnxNode, Scope], Sequence[OnnxNode]]

REWRITES: Mapping[str, Rewrite] = MappingProxyType(
    {
        "Attention": attention,
        "AveragePool": average_pool,
        "BatchNormalization": _batch_normalization,
        "Cast": _cast,
        "Conv": conv,
        "ConvTranspose": conv_transpose,
        "CumSum": running_sum,
        "DepthToSpace": depth_to_space,
        "Div": _divide,
        "Dropout": _dropout,
        "Einsum": einsum,
        "GRU": gru,
        "Gather": gather,
        "GatherElements": gather_elements,
        "GatherND": gather_nd,
        "Gemm": gemm,
        "GlobalMaxPool": _global_max_pool,
        "GroupNormalization": group_normalization,
        "InstanceNormalization": instance_normalization,
        "LSTM": lstm,
        "LogSoftmax": _softmax,
        "Max": maximum,
        "MaxPool": max_pool,
        "Mean": mean,
        "MeanVarianceNormalization": mean_variance_normalization,
        "Min": minimum,
        "PRelu": parametric_relu,
        "Pad": pad,
        "Pow": _power,
        "RNN": rnn,
        "Reshape": _reshape,
        "Resize": resize,
        "Slice": slices,
        "Softmax": _softmax,
        "SpaceToDepth": space_to_depth,
        "Split": _split,
        "Squeeze": _squeeze,
        "Sum": _sum,
        "Tile": tile,
        "Trilu": triangle,
        "Upsample": upsample,
    }
)
"""Rewritings by ONNX operator."""
