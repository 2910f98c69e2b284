"""Transpose: axes in another order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from espdl_hil.ops._plain import normal_axis, required


@dataclass(frozen=True, slots=True)
class Transpose(Operator):
    """Axes in another order.

    Attributes:
        perm: output axis ``i`` is input axis ``perm[i]``; negative ones count from the end, as
            esp-ppq writes them. Empty reverses all axes.
    """

    op_type: ClassVar[str] = "Transpose"
    traits: ClassVar[Traits] = Traits(LayoutRule.ONNX, ExponentRule.PASSIVE)

    perm: tuple[int, ...]

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Transpose:
        """Parse."""
        return cls(attributes.integers("perm", ()))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The permutation; absent where it reverses the axes."""
        return {"perm": Attribute.of(self.perm)} if self.perm else {}

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Permute and lay out anew."""
        array = required(inputs, 0).array
        perm = self.perm or tuple(reversed(range(array.ndim)))
        axes = [normal_axis(axis, array.ndim) for axis in perm]
        if sorted(axes) != list(range(array.ndim)):
            raise ModelError(f"perm {list(self.perm)} does not order {array.ndim} axes")
        return (np.ascontiguousarray(array.transpose(axes)),)
