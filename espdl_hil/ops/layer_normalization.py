"""LayerNormalization: zero mean and unit variance over the last axes, in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._newton import root
from espdl_hil.ops._plain import normal_axis, required
from espdl_hil.ops._reduce import running_sum
from espdl_hil.ops._table import Float32s
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class LayerNormalization(Operator):
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` over the axes from ``axis`` on.

    Attributes:
        axis: the first axis of a row.
        epsilon: added to the variance.
        stash_type: as ONNX has it; the board always computes in float32.
    """

    op_type: ClassVar[str] = "LayerNormalization"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX,
        ExponentRule.CALIBRATED,
        undecided=undecided(
            "sums, an iterated root and products in float32",
            Freedom.REORDERING,
            Freedom.CONTRACTION,
            dtypes=ANY,
            source="dl_module_layer_normalization.hpp",
        ),
    )

    axis: int
    epsilon: float
    stash_type: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> LayerNormalization:
        """Parse."""
        return cls(
            axis=attributes.integer("axis", -1),
            epsilon=attributes.number("epsilon", 1e-5),
            stash_type=attributes.integer("stash_type", 1),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "axis": Attribute.of(self.axis),
            "epsilon": Attribute.of(float(self.epsilon)),
            "stash_type": Attribute.of(self.stash_type),
        }

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Normalize row by row. Source: esp-dl 12c0616 dl_module_layer_normalization.hpp."""
        x = required(inputs, 0)
        axis = normal_axis(self.axis, x.array.ndim)
        inner = int(np.prod(x.array.shape[axis:]))
        rows = x.array.reshape(-1, inner)
        size, epsilon = np.float32(inner), np.float32(self.epsilon)
        values = rows.astype(np.float32)
        quantized = x.array.dtype.kind != "f"
        if quantized:
            mean = (rows.sum(axis=1, dtype=np.int64) / inner).astype(np.float32)
        else:
            mean = running_sum(values) / size
        difference = values - mean[:, None]
        variance = running_sum(difference * difference)
        if quantized:
            step = scale_of(x.exponent)
            mean, variance, values = mean * step, variance * (step * step), values * step
        inverse = np.float32(1) / root(variance / size + epsilon)
        normalized = (values - mean[:, None]) * inverse[:, None]
        result = normalized * _row(inputs, 1, inner, 1.0) + _row(inputs, 2, inner, 0.0)
        reduced = (*x.array.shape[:axis], *(1 for _ in x.array.shape[axis:]))
        found = ((result, x.array.shape), (mean, reduced), (inverse, reduced))
        return tuple(
            _stored(array, info, at).reshape(shape)
            for (array, shape), info in zip(found, outputs, strict=False)
        )


def _row(inputs: Sequence[Operand | None], index: int, inner: int, default: float) -> Float32s:
    """A scale or bias as one float32 row."""
    operand = inputs[index] if index < len(inputs) else None
    if operand is None:
        return np.full(inner, default, dtype=np.float32)
    if operand.array.size != inner:
        raise ModelError(f"input {index} has {operand.array.size} elements, a row has {inner}")
    real = operand.array.ravel().astype(np.float32)
    return real if operand.array.dtype.kind == "f" else real * scale_of(operand.exponent)


def _stored(array: Float32s, info: ValueInfo, at: Execution) -> Array:
    if info.dtype.numpy == np.float32:
        return array
    return quantize(array * scale_of(-info.exponent), info.dtype.numpy, at.target.rounding)
