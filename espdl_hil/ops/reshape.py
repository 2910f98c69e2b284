"""Reshape: the same elements in another shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
from espdl_hil.ops._plain import integers, required


@dataclass(frozen=True, slots=True)
class Reshape(Operator):
    """The same elements in another shape, given by input 1.

    Attributes:
        allowzero: a zero in the shape means zero elements, not "as in the input".
    """

    op_type: ClassVar[str] = "Reshape"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX, ExponentRule.PASSIVE, flat=True, index_inputs=(1,)
    )

    allowzero: bool

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Reshape:
        """Parse."""
        return cls(bool(attributes.integer("allowzero", 0)))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """Always written: the runtime has no default."""
        return {"allowzero": Attribute.of(self.allowzero)}

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Resolve ``0`` and ``-1`` as ONNX says."""
        array, wanted = required(inputs, 0).array, integers(required(inputs, 1))
        if any(n == 0 and (self.allowzero or i >= array.ndim) for i, n in enumerate(wanted)):
            raise ModelError(f"shape {list(wanted)} has no elements")
        if min(wanted, default=0) < -1:
            raise ModelError(f"shape {list(wanted)}: a length is -1 or not negative")
        shape = [array.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
        try:
            return (array.reshape(shape),)
        except ValueError:
            raise ModelError(f"cannot reshape {list(array.shape)} to {list(wanted)}") from None
