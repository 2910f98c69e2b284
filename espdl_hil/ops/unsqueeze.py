"""Unsqueeze: axes of length one inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

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
from espdl_hil.ops._plain import Plain, integers, normal_axis, required


@dataclass(frozen=True, slots=True)
class Unsqueeze(Plain):
    """With new axes of length one at the places of the result that input 1 names."""

    op_type: ClassVar[str] = "Unsqueeze"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX,
        ExponentRule.PASSIVE,
        flat=True,
        index_inputs=(1,),
        attribute_inputs=(("axes", 1),),
    )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Insert the axes."""
        array, axes = required(inputs, 0).array, integers(required(inputs, 1))
        rank = array.ndim + len(axes)
        added = {normal_axis(axis, rank) for axis in axes}
        if len(added) != len(axes):
            raise ModelError(f"axes {list(axes)} name an axis twice")
        lengths = iter(array.shape)
        return (array.reshape([1 if i in added else next(lengths) for i in range(rank)]),)
