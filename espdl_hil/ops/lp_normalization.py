"""LpNormalization: vectors along an axis divided by their length, in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import QUANTIZED, REAL, undecided
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
from espdl_hil.ops._shapes import stored_axis
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class LpNormalization(Operator):
    """``x / length(x)`` along ``axis``; a zero vector stays zero.

    Attributes:
        axis: ONNX's, or the stored one in a lowered model.
        p: 1 for the sum of magnitudes, 2 for the Euclidean length.
    """

    op_type: ClassVar[str] = "LpNormalization"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS,
        ExponentRule.CALIBRATED,
        undecided=undecided(
            "the reciprocal of an exact length in float32",
            Freedom.ESTIMATE,
            dtypes=QUANTIZED,
            source="dl_module_lp_normalization.hpp compute_quant_inv_norm",
        )
        + undecided(
            "a sum and the reciprocal of a length in float32",
            Freedom.REORDERING,
            dtypes=REAL,
            source="dl_module_lp_normalization.hpp compute_inv_norm",
        ),
    )

    axis: int
    p: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> LpNormalization:
        """Parse."""
        p = attributes.integer("p", 2)
        if p not in (1, 2):
            raise attributes.unsupported("p", p, "1 or 2")
        return cls(attributes.integer("axis", -1), p)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {"axis": Attribute.of(self.axis), "p": Attribute.of(self.p)}

    def permuted(self, perm: tuple[int, ...]) -> LpNormalization:
        """The same axis in the stored order."""
        return replace(self, axis=stored_axis(self.axis, perm))

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Normalize; the input's exponent cancels. Source: dl_module_lp_normalization.hpp."""
        x = required(inputs, 0).array
        axis = normal_axis(self.axis, x.ndim)
        vectors = np.moveaxis(x, axis, -1)
        values = vectors.astype(np.float32)
        if self.p == 1:
            total = running_sum(np.abs(values))
        elif x.dtype.kind == "f":
            total = running_sum(values * values)
        else:
            total = (vectors.astype(np.int64) ** 2).sum(axis=-1).astype(np.float32)
        length = total if self.p == 1 else np.sqrt(total)
        inverse = np.where(total > 0, np.float32(1) / length, np.float32(0))
        result = values * inverse[..., None]
        if x.dtype.kind != "f":
            scaled = result * scale_of(-outputs[0].exponent)
            stored: Array = quantize(scaled, outputs[0].dtype.numpy, at.target.rounding)
        else:
            stored = result
        return (np.ascontiguousarray(np.moveaxis(stored, -1, axis)),)
