"""Unsqueeze: axes of length one inserted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, LayoutRule, Operand, Operator, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._shapes import first, indices, normal_axis


@dataclass(frozen=True, slots=True)
class Unsqueeze(Operator):
    """With new axes of length one at the places of the result that input 1 names."""

    op_type: ClassVar[str] = "Unsqueeze"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX,
        ExponentRule.PASSIVE,
        index_inputs=(1,),
        attribute_inputs=(("axes", 1),),
    )

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Unsqueeze:
        """There are none."""
        return cls()

    def to_attributes(self) -> Mapping[str, Attribute]:
        """None."""
        return {}

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Insert the axes."""
        array, axes = first(inputs).array, indices(inputs, 1)
        rank = array.ndim + len(axes)
        added = {normal_axis(axis, rank) for axis in axes}
        if len(added) != len(axes):
            raise ModelError(f"axes {list(axes)} name an axis twice")
        lengths = iter(array.shape)
        return (array.reshape([1 if i in added else next(lengths) for i in range(rank)]),)
