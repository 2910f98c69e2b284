"""Windows written out: kernel, padding, and inputs that are smaller than a window.

Before::

    y = Conv(x, w, strides=[2, 2], pads=[0, 0, 1, 1])          (x smaller than the kernel)

After::

    t = Pad(x, [0, 0, 0, 0, 0, 0, 1, 1])
    y = Conv(t, w, strides=[2, 2])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ops._window import Window
from espdl_hil.ops.pad import Pad


def explicit_kernel(node: OnnxNode, scope: Scope) -> OnnxNode:
    """The node with ``kernel_shape`` written out from the weights ``[N, C, ...]`` at input 1.

    Before: ``Conv(x, w)``; after: ``Conv(x, w, kernel_shape=[3, 3])``.
    """
    if "kernel_shape" in node.attributes:
        return node
    kernel = Attribute.of(scope.shape(node, node.inputs[1])[2:])
    return replace(node, attributes={**node.attributes, "kernel_shape": kernel})


def explicit_pads(node: OnnxNode, scope: Scope) -> OnnxNode:
    """The node with ``auto_pad`` written as ``pads``.

    Before: ``Conv(auto_pad=SAME_UPPER)``; after: ``Conv(pads=[0, 0, 1, 1])``.
    """
    if "auto_pad" not in node.attributes:
        return node
    read = node.typed(scope.opset)
    attributes = dict(node.attributes)
    del attributes["auto_pad"]
    mode = read.text("auto_pad")
    if mode != "NOTSET":
        kernel = read.integers("kernel_shape")
        ones = (1,) * len(kernel)
        strides = read.integers("strides", ones)
        dilations = read.integers("dilations", ones)
        size = scope.shape(node, node.inputs[0])[2:]
        begin: list[int] = []
        end: list[int] = []
        for n, k, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
            total = 0
            if mode in ("SAME_UPPER", "SAME_LOWER"):
                total = max((-(-n // stride) - 1) * stride + (k - 1) * dilation + 1 - n, 0)
            small = total // 2
            begin.append(total - small if mode == "SAME_LOWER" else small)
            end.append(small if mode == "SAME_LOWER" else total - small)
        attributes["pads"] = Attribute.of((*begin, *end))
    return replace(node, attributes=attributes)


def conv(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """A Conv whose padding the board would read past is padded by a node of its own; see above."""
    if node.inputs[1] not in scope.constants:
        return (node,)  # refused by name when it is parsed
    node = explicit_pads(explicit_kernel(node, scope), scope)
    read = node.typed(scope.opset)
    steps = Steps(node, scope)
    x = node.inputs[0]
    rank = len(steps.shape(x)) - 2
    kernel, pads = read.integers("kernel_shape"), read.integers("pads", (0,) * (2 * rank))
    if rank not in (1, 2) or len(kernel) != rank or min(pads) < 0:
        return (node,)
    size = steps.shape(x)[2:]
    window = Window.of(kernel, read.integers("strides", ()), read.integers("dilations", ()), pads)
    try:
        window.refuse_unsafe(size if rank == 2 else (1, *size))
        return (node,)
    except ModelError:
        pass
    begins, ends = pads[:rank], pads[rank:]
    every = steps.constant("pads", np.array([0, 0, *begins, 0, 0, *ends], dtype=np.int64))
    padded = [n + begin + end for n, begin, end in zip(size, begins, ends, strict=True)]
    value = steps.do(
        Pad.op_type, "padded", (x, every), (*steps.shape(x)[:2], *padded), mode="constant"
    )
    attributes = {**node.attributes, "pads": Attribute.of((0,) * (2 * rank))}
    return (*steps.nodes, replace(node, inputs=(value, *node.inputs[1:]), attributes=attributes))
