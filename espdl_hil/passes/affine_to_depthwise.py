"""Turn a lone Mul and Add by one constant per channel into a depthwise convolution.

Before::

    t = Mul(x, s)        (s, o: one number per channel of an image)
    y = Add(t, o)

After::

    y = Conv(x, s, o, kernel_shape=[1, 1], group=channels)

A BatchNormalization that follows no convolution ends here: one node, one rounding, and a 1x1 window
that takes a Relu.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.add import Add
from espdl_hil.ops.conv import Conv
from espdl_hil.ops.mul import Mul
from espdl_hil.passes.edit import Draft, constant_operand, only_reader, readers


def affine_to_depthwise(graph: Graph) -> Graph:
    """The graph with each per-channel Mul and Add pair as one depthwise convolution."""
    by_value = readers(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Mul):
            continue
        follower = only_reader(graph, by_value, node.outputs[0])
        if follower is None or not isinstance(follower.op, Add):
            continue
        scaled = constant_operand(node, graph.constants)
        moved = constant_operand(follower, graph.constants)
        if scaled is None or moved is None:
            continue
        shape = graph.types[scaled[0]].shape
        if len(shape) not in (3, 4) or graph.types[follower.outputs[0]].shape != shape:
            continue
        factor = _per_channel(graph.constants[scaled[1]], shape)
        offset = _per_channel(graph.constants[moved[1]], shape)
        if factor is None or offset is None:
            continue
        ones = (1,) * (len(shape) - 2)
        attributes = {
            "group": Attribute.of(shape[1]),
            "kernel_shape": Attribute.of(ones),
            "strides": Attribute.of(ones),
            "dilations": Attribute.of(ones),
            "pads": Attribute.of((0, 0) * len(ones)),
        }
        op = Conv.from_attributes(Attributes(follower.name, Conv.op_type, attributes))
        weights = draft.add_constant(f"{follower.name}/weights", factor.reshape(-1, 1, *ones))
        bias = draft.add_constant(f"{follower.name}/bias", offset)
        draft.replace(node)
        draft.replace(
            follower, Node(follower.name, op, (scaled[0], weights, bias), follower.outputs)
        )
    return draft.graph()


def _per_channel(
    constant: npt.NDArray[np.generic], shape: tuple[int, ...]
) -> npt.NDArray[np.float32] | None:
    """The constant as one number per channel (axis 1); ``None`` where it varies elsewhere."""
    full = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
    if full.ndim != len(shape) or full.shape[1] != shape[1]:
        return None
    if any(n != 1 for axis, n in enumerate(full.shape) if axis != 1):
        return None
    return full.astype(np.float32).ravel()
