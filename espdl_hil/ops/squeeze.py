"""Squeeze: axes of length one dropped."""

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
from espdl_hil.ops._plain import Plain, normal_axis, required
from espdl_hil.ops._shapes import optional_integers


@dataclass(frozen=True, slots=True)
class Squeeze(Plain):
    """Without the axes of length one that input 1 names, or without all of them."""

    op_type: ClassVar[str] = "Squeeze"
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
        """Drop the axes."""
        array, axes = required(inputs, 0).array, optional_integers(inputs, 1)
        if axes is None:
            return (array.reshape([n for n in array.shape if n != 1]),)
        dropped = {normal_axis(axis, array.ndim) for axis in axes}
        if len(dropped) != len(axes):
            raise ModelError(f"axes {list(axes)} name an axis twice")
        if any(array.shape[axis] != 1 for axis in dropped):
            raise ModelError(f"axes {sorted(dropped)} of {list(array.shape)} are not of length 1")
        return (array.reshape([n for i, n in enumerate(array.shape) if i not in dropped]),)
