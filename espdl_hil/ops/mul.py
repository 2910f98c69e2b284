"""Mul: an exact product where a vector kernel computes, a float32 one elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, saturate, scale_of, shift_round
from espdl_hil.ops._elementwise import merged, pair_of, refuse_deep
from espdl_hil.ops._plain import Plain


@dataclass(frozen=True, slots=True)
class Mul(Plain):
    """``a * b``. Source: esp-dl 12c0616 dl_base_mul.cpp and the vector kernels beside it."""

    op_type: ClassVar[str] = "Mul"
    traits: ClassVar[Traits] = Traits(LayoutRule.BROADCAST, ExponentRule.CALIBRATED, products=True)

    def check(self, site: LoweringSite) -> None:
        """Refuse broadcasting beyond what the kernels loop over."""
        refuse_deep(site)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Multiply; the innermost merged axis decides between vector and C kernel."""
        left, right = pair_of(inputs)
        output = outputs[0]
        a, b = left.array, right.array
        if a.dtype.kind == "f":
            return (np.multiply(a, b),)
        shift = output.exponent - left.exponent - right.exponent
        product = a.astype(np.int32) * b.astype(np.int32)
        in_vector = 16 // a.dtype.itemsize
        if at.target.vector and merged(a.shape, b.shape).inner >= in_vector:
            largest = at.target.mac[8 * a.dtype.itemsize].largest_shift
            if not 0 <= shift <= largest:
                raise ModelError(
                    f"a shift by {shift} bits: the vector kernels of {at.target.name} shift right "
                    f"by 0 to {largest} bits",
                    hint="the output's exponent must be the sum of the inputs' exponents or more",
                )
            rounded = shift_round(product, shift, at.target.rounding)
            return (saturate(rounded, output.dtype.numpy),)
        scaled = product.astype(np.float32) * scale_of(-shift)
        return (quantize(scaled, output.dtype.numpy, at.target.rounding),)
