"""Concat: tensors joined along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
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
from espdl_hil.ops._plain import normal_axis
from espdl_hil.ops._shapes import stored_axis


@dataclass(frozen=True, slots=True)
class Concat(Operator):
    """Inputs one behind the other along ``axis``; the board copies integers as they are."""

    op_type: ClassVar[str] = "Concat"
    traits: ClassVar[Traits] = Traits(LayoutRule.JOIN, ExponentRule.ALIGNED)

    axis: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Concat:
        """Parse."""
        return cls(attributes.integer("axis"))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The axis."""
        return {"axis": Attribute.of(self.axis)}

    def permuted(self, perm: tuple[int, ...]) -> Concat:
        """Joined along the stored place of the axis."""
        return replace(self, axis=stored_axis(self.axis, perm))

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Join; exponents are not looked at, as on the board."""
        parts = [operand.array for operand in inputs if operand is not None]
        if not parts:
            raise ModelError("nothing to join")
        axis = normal_axis(self.axis, parts[0].ndim)
        rest = {part.shape[:axis] + part.shape[axis + 1 :] for part in parts}
        if len(rest) != 1 or len({part.ndim for part in parts}) != 1:
            shapes = [list(part.shape) for part in parts]
            raise ModelError(f"cannot join {shapes} along axis {axis}")
        return (np.concatenate(parts, axis=axis),)
