"""Add: the saturated sum of raw integers; both inputs and the output share one exponent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._elementwise import RawArithmetic


@dataclass(frozen=True, slots=True)
class Add(RawArithmetic):
    """``a + b``. Source: esp-dl 12c0616 dl_base_add.cpp."""

    op_type: ClassVar[str] = "Add"
    traits: ClassVar[Traits] = Traits(LayoutRule.BROADCAST, ExponentRule.ALIGNED)

    def combine(self, left: Array, right: Array) -> Array:
        """``left + right``."""
        return left + right  # type: ignore[operator]
