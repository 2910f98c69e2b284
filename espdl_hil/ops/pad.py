"""Pad: elements added around a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import Tensor, ValueInfo
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
from espdl_hil.ops._shapes import constant_integers, stored_axis

_NUMPY_MODE: Mapping[str, Literal["constant", "edge", "reflect"]] = {
    "constant": "constant",
    "edge": "edge",
    "reflect": "reflect",
}


@dataclass(frozen=True, slots=True)
class Pad(Operator):
    """Elements added (or, by negative pads, removed) around a tensor.

    Inputs: data, pads (begins of all axes, then ends), and for mode constant perhaps the value, an
    integer at the exponent of the data.

    Attributes:
        mode: ``"constant"``, ``"edge"`` or ``"reflect"``.
    """

    op_type: ClassVar[str] = "Pad"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS,
        ExponentRule.PASSIVE,
        index_inputs=(1, 3),
        attribute_inputs=(("pads", 1),),
    )

    mode: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Pad:
        """Parse."""
        # ONNX has a default, the runtime aborts without the attribute.
        mode = attributes.text("mode", "constant" if attributes.opset is not None else None)
        if mode not in _NUMPY_MODE:
            raise attributes.unsupported("mode", mode, "constant, edge or reflect")
        return cls(mode)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """Always written: the runtime aborts without it."""
        return {"mode": Attribute.of(self.mode)}

    def check(self, site: LoweringSite) -> None:
        """Refuse negative pads, and pads for some axes only."""
        pads = constant_integers(site, 1)
        if min(pads, default=0) < 0:
            raise ModelError(f"negative pads {list(pads)}", hint="use Slice to remove elements")
        data = site.inputs[0]
        assert data is not None
        if len(data.shape) > 4 and self.mode != "constant":
            raise ModelError(f"mode {self.mode} on {len(data.shape)} axes")

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Pads of all axes, in stored axes; the value at the exponent of the data."""
        data = site.inputs[0]
        assert data is not None
        rank = len(data.shape)
        pads = constant_integers(site, 1)
        axes = constant_integers(site, 3) or tuple(range(rank))
        every = np.zeros((2, rank), dtype=np.int64)
        for begin, end, axis in zip(pads[: len(axes)], pads[len(axes) :], axes, strict=True):
            every[:, stored_axis(axis, data.perm)] = begin, end
        tensor = Tensor.of(f"{site.node}/pads", every.ravel())
        return LoweredOperator(self.op_type, self.to_attributes(), {1: tensor})

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Pad; a missing value is 0."""
        array, pads = required(inputs, 0).array, integers(required(inputs, 1))
        if len(inputs) > 3 and inputs[3] is not None:
            raise ModelError("the runtime's Pad reads no axes: give pads for all of them")
        rank = array.ndim
        if len(pads) != 2 * rank:
            raise ModelError(f"{len(pads)} pads for {rank} axes")
        if min(pads, default=0) < 0:
            raise ModelError(f"negative pads {list(pads)}", hint="use Slice to remove elements")
        widths = list(zip(pads[:rank], pads[rank:], strict=True))
        mode = _NUMPY_MODE[self.mode]
        if mode == "reflect" and any(max(w) >= n for w, n in zip(widths, array.shape, strict=True)):
            raise ModelError(
                f"pads {list(pads)} reflect more than there is of {list(array.shape)}",
                hint="pads of mode reflect are shorter than their axes",
            )
        if mode != "constant":
            return (np.pad(array, widths, mode=mode),)
        value = inputs[2] if len(inputs) > 2 else None
        fill = 0 if value is None else value.array.ravel()[0]
        return (np.pad(array, widths, mode="constant", constant_values=fill),)
