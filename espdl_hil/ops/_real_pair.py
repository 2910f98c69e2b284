"""Elementwise operators on two inputs that the board computes in float32."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, LoweredOperator, LoweringSite, Operand, Operator
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._elementwise import pair_of, refuse_deep
from espdl_hil.ops._table import Float32s


@dataclass(frozen=True, slots=True)
class RealPair(Operator):
    """Dequantize both inputs, compute, quantize."""

    @abstractmethod
    def compute(self, left: Float32s, right: Float32s) -> Float32s:
        """The board's formula in float32."""

    def check(self, site: LoweringSite) -> None:
        """Refuse broadcasting beyond what the kernels loop over."""
        refuse_deep(site)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Compute on real values."""
        left, right = pair_of(inputs)
        a, b = left.array.astype(np.float32), right.array.astype(np.float32)
        if left.array.dtype.kind == "f":
            return (self.compute(a, b),)
        real = self.compute(a * scale_of(left.exponent), b * scale_of(right.exponent))
        scaled = real * scale_of(-outputs[0].exponent)
        return (quantize(scaled, outputs[0].dtype.numpy, at.target.rounding),)
