"""Neg: raw integers with the other sign; the most negative one saturates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
from espdl_hil.numerics import saturate
from espdl_hil.ops._plain import Plain, required


@dataclass(frozen=True, slots=True)
class Neg(Plain):
    """``-x``. Source: esp-dl 12c0616 dl_module_neg.hpp."""

    op_type: ClassVar[str] = "Neg"
    traits: ClassVar[Traits] = Traits(LayoutRule.PASSIVE, ExponentRule.PASSIVE)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Negate; exponents and tables are not looked at."""
        x = required(inputs, 0).array
        if x.dtype.kind == "f":
            return (np.negative(x),)
        return (saturate(-x.astype(np.int32), x.dtype),)
