"""RequantizeLinear: integers move to another exponent or width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ops._requantize import Requantizing


@dataclass(frozen=True, slots=True)
class RequantizeLinear(Requantizing):
    """Integers move to another exponent or width, by the board's one conversion."""

    op_type: ClassVar[str] = "RequantizeLinear"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.PASSIVE, ExponentRule.CALIBRATED, index_inputs=(1, 2)
    )
