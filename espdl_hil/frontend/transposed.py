"""ConvTranspose as what ESP-DL has: zeros between the pixels, then a convolution.

Before::

    y = ConvTranspose(x, w, b, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])

After::

    t = InsertZeros(x, stride=[2, 2], output_padding=[1, 1])
    y = Conv(t, flipped(w), b, pads=[k - 2, ...])

Exact. Where a pad would be negative, a Slice removes those pixels first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.types import Array


def conv_transpose(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one ConvTranspose; see the file's head."""
    read = node.typed(scope.opset)
    weights = scope.constant(node, 1)
    x, y = node.inputs[0], node.outputs[0]
    size = scope.shape(node, x)[2:]
    kernel, ones = weights.shape[2:], (1,) * len(size)
    strides = read.integers("strides", ones)
    dilations = read.integers("dilations", ones)
    extra = read.integers("output_padding", (0,) * len(size))
    group = read.integer("group", 1)
    if weights.shape[0] % group:
        raise ModelError(f"{weights.shape[0]} input channels in {group} groups", node=node.name)
    reach = tuple((k - 1) * d for k, d in zip(kernel, dilations, strict=True))
    widened = tuple((n - 1) * s + 1 for n, s in zip(size, strides, strict=True))
    begin, end = _crops(node, scope, widened, reach, extra)
    nodes: list[OnnxNode] = []
    value = x
    if any(stride != 1 for stride in strides):
        widened = tuple(n + e for n, e in zip(widened, extra, strict=True))
        spread = scope.add_value(
            f"{node.name}/spread", like=x, shape=(*scope.shape(node, x)[:2], *widened)
        )
        attributes = {"stride": Attribute.of(strides), "output_padding": Attribute.of(extra)}
        name = f"{node.name}/zeros"
        nodes.append(OnnxNode(name, "InsertZeros", (value,), (spread,), attributes))
        value = spread
    else:
        end = tuple(p - e for p, e in zip(end, extra, strict=True))
    pads = [r - p for p, r in zip((*begin, *end), (*reach, *reach), strict=True)]
    if min(pads) < 0:
        value = _cropped(node, scope, value, pads, nodes)
    flipped = scope.add_constant(f"{node.inputs[1]}_flipped", _flipped(weights, group))
    attributes = {
        "dilations": Attribute.of(dilations),
        "group": Attribute.of(group),
        "kernel_shape": Attribute.of(kernel),
        "pads": Attribute.of(tuple(max(pad, 0) for pad in pads)),
        "strides": Attribute.of(ones),
    }
    nodes.append(OnnxNode(node.name, "Conv", (value, flipped, *node.inputs[2:]), (y,), attributes))
    return nodes


def _crops(
    node: OnnxNode,
    scope: Scope,
    widened: Sequence[int],
    reach: Sequence[int],
    extra: Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many pixels of the full result each side loses: ``pads``, or what gives the shape."""
    read = node.typed(scope.opset)
    rank = len(widened)
    mode = read.text("auto_pad", "NOTSET")
    if mode == "NOTSET" and "output_shape" not in node.attributes:
        pads = read.integers("pads", (0,) * (2 * rank))
        return pads[:rank], pads[rank:]
    if mode == "VALID":
        return (0,) * rank, (0,) * rank
    result = scope.shape(node, node.outputs[0])[2:]
    full = [n + r + e for n, r, e in zip(widened, reach, extra, strict=True)]
    total = [f - n for f, n in zip(full, result, strict=True)]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    if mode == "SAME_UPPER":
        return tuple(small), tuple(large)
    return tuple(large), tuple(small)


def _cropped(
    node: OnnxNode, scope: Scope, value: str, pads: Sequence[int], nodes: list[OnnxNode]
) -> str:
    """``value`` without the pixels that negative ``pads`` remove."""
    shape = scope.shape(node, value)
    rank = len(shape) - 2
    starts = [max(-pad, 0) for pad in pads[:rank]]
    ends = [n - max(-pad, 0) for n, pad in zip(shape[2:], pads[rank:], strict=True)]
    if any(end <= start for start, end in zip(starts, ends, strict=True)):
        raise ModelError("pads remove more pixels than there are", node=node.name)
    bounds = {"starts": starts, "ends": ends, "axes": list(range(2, rank + 2))}
    constants = tuple(
        scope.add_constant(f"{node.name}/{name}", np.array(numbers, dtype=np.int64))
        for name, numbers in bounds.items()
    )
    left = tuple(end - start for start, end in zip(starts, ends, strict=True))
    result = scope.add_value(f"{node.name}/cropped", like=value, shape=(*shape[:2], *left))
    nodes.append(OnnxNode(f"{node.name}/crop", "Slice", (value, *constants), (result,)))
    return result


def _flipped(weights: Array, group: int) -> Array:
    """``[C, N / group, ...]`` as ``[N, C / group, ...]``, turned round in space."""
    inputs, outputs, *kernel = weights.shape
    grouped = weights.reshape(group, inputs // group, outputs, *kernel).swapaxes(1, 2)
    turned = np.flip(grouped, tuple(range(3, grouped.ndim)))
    return turned.reshape(group * outputs, inputs // group, *kernel)
