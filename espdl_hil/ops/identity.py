"""Identity: a value under another name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, LayoutRule, Operand, Operator, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._shapes import first


@dataclass(frozen=True, slots=True)
class Identity(Operator):
    """The input, as it is."""

    op_type: ClassVar[str] = "Identity"
    traits: ClassVar[Traits] = Traits(LayoutRule.PASSIVE, ExponentRule.PASSIVE)

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Identity:
        """There are none."""
        return cls()

    def to_attributes(self) -> Mapping[str, Attribute]:
        """None."""
        return {}

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """The same array."""
        return (first(inputs).array,)
