"""Identity: a value under another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

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
from espdl_hil.ops._plain import Plain, required


@dataclass(frozen=True, slots=True)
class Identity(Plain):
    """The input, as it is."""

    op_type: ClassVar[str] = "Identity"
    traits: ClassVar[Traits] = Traits(LayoutRule.PASSIVE, ExponentRule.PASSIVE)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """The same array."""
        return (required(inputs, 0).array,)
