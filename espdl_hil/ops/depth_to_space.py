"""DepthToSpace: channels moved into blocks of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.errors import ModelError, UnsupportedAttributeError
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
class DepthToSpace(Operator):
    """``[1, H, W, C]`` to ``[1, H * b, W * b, C / b**2]``.

    Attributes:
        blocksize: b.
        mode: ``"DCR"`` or ``"CRD"``, how a channel splits into row, column and channel.
    """

    op_type: ClassVar[str] = "DepthToSpace"
    traits: ClassVar[Traits] = Traits(LayoutRule.CHANNELS_LAST, ExponentRule.PASSIVE)

    blocksize: int
    mode: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> DepthToSpace:
        """Parse."""
        mode = attributes.text("mode", "DCR")
        if mode not in ("DCR", "CRD"):
            raise attributes.unsupported("mode", mode, "DCR or CRD")
        return cls(attributes.integer("blocksize"), mode)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {"blocksize": Attribute.of(self.blocksize), "mode": Attribute.of(self.mode)}

    def check(self, site: LoweringSite) -> None:
        """Refuse the mode that ESP-DL computes otherwise than ONNX."""
        depth = site.outputs[0].shape[1]
        if self.mode == "DCR" and depth != self.blocksize:
            raise UnsupportedAttributeError(
                "mode",
                self.mode,
                "CRD, or DCR with as many output channels as the block size",
                hint="permute the channels of the layer before and use mode CRD",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Move. Source: esp-dl 12c0616 dl_module_depth_to_space.hpp."""
        x, b = required(inputs, 0).array, self.blocksize
        if x.ndim != 4 or b < 1 or x.shape[3] % (b * b):
            raise ModelError(f"cannot split {list(x.shape)} into blocks of {b}")
        n, height, width, channels = x.shape
        depth = channels // (b * b)
        if self.mode == "DCR":
            if depth != b:
                raise ModelError(
                    f"mode DCR with {depth} output channels: ESP-DL mixes up its indices unless "
                    f"they are as many as the block size ({b})",
                    hint="permute the channels and use mode CRD",
                )
            blocks = x.reshape(n, height, width, b, b, depth).transpose(0, 1, 3, 2, 4, 5)
        else:
            blocks = x.reshape(n, height, width, depth, b, b).transpose(0, 1, 4, 2, 5, 3)
        return (blocks.reshape(n, height * b, width * b, depth),)
