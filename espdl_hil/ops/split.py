"""Split: one tensor in several."""

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
from espdl_hil.ops._plain import normal_axis, required
from espdl_hil.ops._shapes import optional_integers, stored_axis


@dataclass(frozen=True, slots=True)
class Split(Operator):
    """One tensor in several along ``axis``; input 1 holds the lengths.

    Attributes:
        axis: where to cut.
        num_outputs: 0 where input 1 decides. The runtime takes it for the *length* of each part.
    """

    op_type: ClassVar[str] = "Split"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS,
        ExponentRule.PASSIVE,
        index_inputs=(1,),
        attribute_inputs=(("split", 1),),
    )

    axis: int
    num_outputs: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Split:
        """Parse."""
        return cls(attributes.integer("axis", 0), attributes.integer("num_outputs", 0))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The axis; ``num_outputs`` only where it decides."""
        attributes = {"axis": Attribute.of(self.axis)}
        if self.num_outputs:
            attributes["num_outputs"] = Attribute.of(self.num_outputs)
        return attributes

    def permuted(self, perm: tuple[int, ...]) -> Split:
        """Cut along the stored place of the axis."""
        return replace(self, axis=stored_axis(self.axis, perm))

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Cut; without input 1 every part is ``num_outputs`` long, as the runtime has it."""
        array = required(inputs, 0).array
        axis = normal_axis(self.axis, array.ndim)
        length = array.shape[axis]
        sizes = optional_integers(inputs, 1)
        if sizes is None:
            chunk = self.num_outputs or -(-length // len(outputs))
            sizes = tuple(min(chunk, length - begin) for begin in range(0, length, chunk))
        if len(sizes) != len(outputs) or sum(sizes) != length or min(sizes) < 1:
            raise ModelError(
                f"parts of {list(sizes)} do not make {len(outputs)} outputs of {length} elements",
                hint="give the lengths of the parts in input 1",
            )
        ends = np.cumsum(sizes)[:-1]
        return tuple(np.ascontiguousarray(part) for part in np.split(array, ends, axis=axis))
