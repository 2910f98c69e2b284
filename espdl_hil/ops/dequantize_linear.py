"""DequantizeLinear: integers become the floats they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ops._requantize import Requantizing


@dataclass(frozen=True, slots=True)
class DequantizeLinear(Requantizing):
    """Integers become the floats they stand for, by the board's one conversion."""

    op_type: ClassVar[str] = "DequantizeLinear"
    traits: ClassVar[Traits] = Traits(LayoutRule.PASSIVE, ExponentRule.FLOAT, index_inputs=(1, 2))
