"""LUT: any function of one value, known only by its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, LayoutRule, Operand, Operator, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import required
from espdl_hil.ops._table import look_up, table_named


@dataclass(frozen=True, slots=True)
class LUT(Operator):
    """A table lookup.

    Attributes:
        lut: name of the table in the file.
        original_op_type: what the table stands for; informational.
    """

    op_type: ClassVar[str] = "LUT"
    traits: ClassVar[Traits] = Traits(LayoutRule.PASSIVE, ExponentRule.CALIBRATED)

    lut: str
    original_op_type: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> LUT:
        """Parse; the table is mandatory."""
        return cls(attributes.text("lut"), attributes.text("original_op_type", ""))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        origin = self.original_op_type
        named = {"original_op_type": Attribute.of(origin)} if origin else {}
        return {"lut": Attribute.of(self.lut), **named}

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Look up."""
        return (look_up(required(inputs, 0), table_named(self.lut, outputs[0], at), at),)
