"""Small lowered models by hand, to have one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.layouts import FilterKind, filter_dims, filter_doc, pack_filter
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.targets import Target

LINEAR = {"activation": "Linear"}


def value(name: str, shape: Sequence[int], exponent: int = -5, dtype=DType.INT8) -> ValueInfo:
    return ValueInfo(name, dtype, tuple(shape), (exponent,))


def node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object
) -> LoweredNode:
    written = {name: Attribute.of(item) for name, item in sorted(attributes.items())}
    return LoweredNode(f"{op_type}_{outputs[0]}", op_type, tuple(inputs), tuple(outputs), written)


def model(
    nodes: Sequence[LoweredNode],
    values: Sequence[ValueInfo],
    parameters: Sequence[Tensor] = (),
    target: str | None = "esp32s3",
) -> LoweredModel:
    """The values that no node computes are the graph inputs, those that none reads its outputs."""
    computed = {name for item in nodes for name in item.outputs}
    read = {name for item in nodes for name in item.inputs}
    names = [info.name for info in values]
    return LoweredModel(
        name="by_hand",
        nodes=tuple(nodes),
        inputs=tuple(name for name in names if name not in computed),
        outputs=tuple(name for name in names if name in computed and name not in read),
        values={info.name: info for info in values},
        parameters={tensor.name: tensor for tensor in parameters},
        metadata={"target": target} if target else {},
    )


def gemm(
    weights: np.ndarray,
    target: Target,
    *,
    bias: np.ndarray | None = None,
    exponents: Mapping[str, int] | None = None,
    relu: bool = False,
) -> LoweredModel:
    """``y = x @ weights + bias`` for one row; exponents of x, w, y and b."""
    e = {"x": -5, "w": -7, "y": -3, **(exponents or {})}
    bits = 8 * weights.dtype.itemsize
    dtype = DType.integer(bits)
    inner, channels = weights.shape
    block = target.mac[bits].filter_block
    parameters = [
        Tensor.of(
            "w",
            pack_filter(weights, FilterKind.GEMM, block),
            exponents=(e["w"],),
            dims=filter_dims(weights.shape, FilterKind.GEMM),
            doc=filter_doc(weights.shape, FilterKind.GEMM, block),
        )
    ]
    if bias is not None:
        wide = bias.astype("<i4" if bits == 8 else "<i8")
        parameters.append(Tensor.of("b", wide, exponents=(e.get("b", e["x"] + e["w"]),)))
    inputs = ["x", *(tensor.name for tensor in parameters)]
    layer = node("Gemm", inputs, ["y"], activation="Relu" if relu else "Linear")
    values = [value("x", (1, inner), e["x"], dtype), value("y", (1, channels), e["y"], dtype)]
    return model([layer], values, parameters, target.name)


def with_metadata(lowered: LoweredModel, **entries: str) -> LoweredModel:
    return replace(lowered, metadata=entries)
