"""RMSNormalization: rows divided by their root mean square, in float32."""

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
from espdl_hil.ops._plain import normal_axis, required
from espdl_hil.ops._reduce import running_sum
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class RMSNormalization(Operator):
    """``x / sqrt(mean(x**2) + epsilon) * scale`` over the axes from ``axis`` on.

    Attributes:
        axis: the first axis of a row.
        epsilon: added to the mean of squares.
    """

    op_type: ClassVar[str] = "RMSNormalization"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX,
        ExponentRule.CALIBRATED,
        float_inputs=(1,),
        undecided=undecided(
            "a mean of squares, a reciprocal root and products in float32",
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_rms_normalization.hpp",
        ),
    )

    axis: int
    epsilon: float

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> RMSNormalization:
        """Parse."""
        return cls(attributes.integer("axis", -1), attributes.number("epsilon", 1e-5))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "axis": Attribute.of(self.axis),
            "epsilon": Attribute.of(float(self.epsilon)),
        }

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Normalize row by row. Source: esp-dl 12c0616 dl_module_rms_normalization.hpp."""
        x, weights = required(inputs, 0), required(inputs, 1).array.ravel()
        axis = normal_axis(self.axis, x.array.ndim)
        inner = int(np.prod(x.array.shape[axis:]))
        if weights.dtype != np.float32 or weights.size != inner:
            raise ModelError(
                f"the scale is {weights.dtype} of {weights.size}, not float32 of {inner}"
            )
        scale = weights.astype(np.float32)
        rows = x.array.reshape(-1, inner)
        values, size = rows.astype(np.float32), np.float32(inner)
        epsilon = np.float32(self.epsilon)
        if rows.dtype.kind == "f":
            squares = running_sum(values * values) / size
            inverse = np.float32(1) / np.sqrt(squares + epsilon)
            return ((values * inverse[:, None] * scale).reshape(x.array.shape),)
        step, back = scale_of(x.exponent), scale_of(-outputs[0].exponent)
        total = (rows.astype(np.int64) ** 2).sum(axis=1).astype(np.float32)
        squares = total * (step * step) / size
        inverse = np.float32(1) / np.sqrt(squares + epsilon) * (step * back)
        result = values * inverse[:, None] * scale
        stored = quantize(result, outputs[0].dtype.numpy, at.target.rounding)
        return (stored.reshape(x.array.shape),)
