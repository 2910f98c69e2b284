"""Gather: slices picked by index."""

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
from espdl_hil.ops._plain import integers, normal_axis, required
from espdl_hil.ops._shapes import stored_axis


@dataclass(frozen=True, slots=True)
class Gather(Operator):
    """Slices along ``axis`` in the order of the indices (input 1)."""

    op_type: ClassVar[str] = "Gather"
    traits: ClassVar[Traits] = Traits(LayoutRule.AXIS, ExponentRule.PASSIVE, index_inputs=(1,))

    axis: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Gather:
        """Parse."""
        return cls(attributes.integer("axis", 0))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The axis."""
        return {"axis": Attribute.of(self.axis)}

    def permuted(self, perm: tuple[int, ...]) -> Gather:
        """The stored place of the axis; asked where a row of indices keeps the number of axes."""
        return replace(self, axis=stored_axis(self.axis, perm))

    def check(self, site: LoweringSite) -> None:
        """Refuse indices that the runtime would take as they are, outside the tensor."""
        data, selector = site.inputs[0], site.inputs[1]
        assert data is not None
        assert selector is not None
        if selector.constant is None or selector.constant.min(initial=0) < 0:
            raise ModelError(
                "indices that are negative or computed at run time",
                hint="the board does not wrap indices: write them from the front",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Copy; the runtime does not wrap negative indices, so they are refused."""
        array = required(inputs, 0).array
        wanted = integers(required(inputs, 1))
        axis = normal_axis(self.axis, array.ndim)
        if wanted and not 0 <= min(wanted) <= max(wanted) < array.shape[axis]:
            raise ModelError(
                f"indices {min(wanted)} … {max(wanted)} on an axis of {array.shape[axis]}",
                hint="the board reads outside the tensor: write indices from the front",
            )
        selector = inputs[1]
        assert selector is not None
        return (np.take(array, selector.array.astype(np.int64), axis=axis),)
