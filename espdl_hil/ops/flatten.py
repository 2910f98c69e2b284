"""Flatten: a tensor as a matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import normal_axis, required


@dataclass(frozen=True, slots=True)
class Flatten(Operator):
    """Two axes: everything before ``axis``, and everything from it on."""

    op_type: ClassVar[str] = "Flatten"
    traits: ClassVar[Traits] = Traits(LayoutRule.ONNX, ExponentRule.PASSIVE, flat=True)

    axis: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Flatten:
        """Parse."""
        return cls(attributes.integer("axis", 1))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The axis."""
        return {"axis": Attribute.of(self.axis)}

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """The same elements in two axes."""
        array = required(inputs, 0).array
        axis = self.axis if self.axis == array.ndim else normal_axis(self.axis, array.ndim)
        return (array.reshape(math.prod(array.shape[:axis]), -1),)
