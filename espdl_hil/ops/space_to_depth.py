"""SpaceToDepth: blocks of pixels moved into channels."""

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
from espdl_hil.ops._plain import required


@dataclass(frozen=True, slots=True)
class SpaceToDepth(Operator):
    """``[1, H, W, C]`` to ``[1, H / b, W / b, C * b**2]``.

    The board counts channel first, then row and column in the block; ONNX counts the channel last.

    Attributes:
        blocksize: b.
    """

    op_type: ClassVar[str] = "SpaceToDepth"
    traits: ClassVar[Traits] = Traits(LayoutRule.CHANNELS_LAST, ExponentRule.PASSIVE)

    blocksize: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> SpaceToDepth:
        """Parse."""
        return cls(attributes.integer("blocksize"))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {"blocksize": Attribute.of(self.blocksize)}

    def check(self, site: LoweringSite) -> None:
        """Refuse several channels, which ESP-DL counts in another order than ONNX."""
        x = site.inputs[0]
        assert x is not None
        if x.shape[1] != 1:
            raise ModelError(f"SpaceToDepth of {x.shape[1]} channels: ESP-DL counts them first")

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Move. Source: esp-dl 12c0616 dl_module_space_to_depth.hpp."""
        x, b = required(inputs, 0).array, self.blocksize
        if x.ndim != 4 or b < 1 or x.shape[1] % b or x.shape[2] % b:
            raise ModelError(f"cannot divide {list(x.shape)} into blocks of {b}")
        n, height, width, channels = x.shape
        blocks = x.reshape(n, height // b, b, width // b, b, channels)
        moved = blocks.transpose(0, 1, 3, 5, 2, 4)
        return (moved.reshape(n, height // b, width // b, channels * b * b),)
