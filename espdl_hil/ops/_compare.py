"""What the comparisons share: raw integers in, booleans out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

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
from espdl_hil.ops._elementwise import pair_of, refuse_deep
from espdl_hil.ops._plain import Plain

COMPARING = Traits(LayoutRule.BROADCAST, ExponentRule.COMPARED)


@dataclass(frozen=True, slots=True)
class Comparison(Plain):
    """An elementwise comparison; the exponents must be equal, the board does not look at them."""

    @abstractmethod
    def holds(self, left: Array, right: Array) -> Array:
        """Where the comparison is true."""

    def check(self, site: LoweringSite) -> None:
        """Refuse broadcasting beyond what the kernels loop over."""
        refuse_deep(site)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Compare raw integers; the board has no comparison of floats."""
        left, right = pair_of(inputs)
        if left.array.dtype.kind == "f":
            raise ModelError(
                "a comparison of floats: ESP-DL has kernels for int8 and int16 only",
                hint="quantize both inputs to one exponent",
            )
        return (self.holds(left.array, right.array),)
