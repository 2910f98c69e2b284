"""ReverseSequence: each sample's first time steps in reverse."""

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
from espdl_hil.ops._shapes import constant_integers


@dataclass(frozen=True, slots=True)
class ReverseSequence(Operator):
    """Each sample's first ``lengths[b]`` time steps reversed; the lengths are input 1.

    Attributes:
        batch_axis: 0 or 1.
        time_axis: the other one.
    """

    op_type: ClassVar[str] = "ReverseSequence"
    traits: ClassVar[Traits] = Traits(LayoutRule.ONNX, ExponentRule.PASSIVE, index_inputs=(1,))

    batch_axis: int
    time_axis: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> ReverseSequence:
        """Parse."""
        batch, time = attributes.integer("batch_axis", 1), attributes.integer("time_axis", 0)
        if (batch, time) not in ((0, 1), (1, 0)):
            raise attributes.unsupported("batch_axis, time_axis", (batch, time), "0 and 1")
        return cls(batch, time)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "batch_axis": Attribute.of(self.batch_axis),
            "time_axis": Attribute.of(self.time_axis),
        }

    def check(self, site: LoweringSite) -> None:
        """Refuse lengths that leave the tensor."""
        x = site.inputs[0]
        assert x is not None
        lengths = constant_integers(site, 1)
        steps = x.shape[self.time_axis]
        if not all(0 <= length <= steps for length in lengths):
            raise ModelError(f"lengths {list(lengths)} of {steps} time steps")

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Copy and reverse. Source: esp-dl 12c0616 dl_module_reverse_sequence.hpp."""
        x, lengths = required(inputs, 0).array, integers(required(inputs, 1))
        if x.ndim < 2 or len(lengths) != x.shape[self.batch_axis]:
            raise ModelError(f"{len(lengths)} lengths for {list(x.shape)}")
        if x.dtype.kind == "f":
            raise ModelError("ESP-DL truncates floats when it reverses them")
        result = x.copy()
        samples = result.swapaxes(0, self.batch_axis)
        for sample, length in zip(samples, lengths, strict=True):
            if not 0 <= length <= len(sample):
                raise ModelError(f"a length of {length} in {len(sample)} time steps")
            sample[:length] = sample[:length][::-1].copy()
        return (result,)
