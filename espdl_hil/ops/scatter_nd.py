"""ScatterND: slices of a tensor overwritten, or combined with updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError, UnsupportedAttributeError
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
from espdl_hil.numerics import saturate
from espdl_hil.ops._plain import required

_Combine = Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]]
_REDUCTIONS: Mapping[str, _Combine] = {
    "none": lambda old, new: new,
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


@dataclass(frozen=True, slots=True)
class ScatterND(Operator):
    """Input 0 with the slices at input 1 changed by input 2, one after the other.

    Attributes:
        reduction: how a slice and its update combine; raw integers, saturated, without any scale.
    """

    op_type: ClassVar[str] = "ScatterND"
    traits: ClassVar[Traits] = Traits(LayoutRule.ONNX, ExponentRule.ALIGNED, index_inputs=(1,))

    reduction: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> ScatterND:
        """Parse."""
        reduction = attributes.text("reduction", "none")
        if reduction not in _REDUCTIONS:
            raise attributes.unsupported("reduction", reduction, ", ".join(_REDUCTIONS))
        return cls(reduction)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {"reduction": Attribute.of(self.reduction)}

    def check(self, site: LoweringSite) -> None:
        """Refuse products, which the board leaves unscaled."""
        if self.reduction == "mul":
            raise UnsupportedAttributeError(
                "reduction", "mul", "none, add, max, min", hint="ESP-DL does not scale the product"
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Indices counted from the front: the board does not wrap them."""
        data, places = site.inputs[0], site.inputs[1]
        assert data is not None
        assert places is not None
        assert places.constant is not None
        limits = np.array(data.shape[: places.shape[-1]], dtype=np.int64)
        counted = places.constant.astype(np.int64)
        wrapped = np.where(counted < 0, counted + limits, counted)
        tensor = Tensor.of(f"{site.node}/indices", wrapped)
        return LoweredOperator(self.op_type, self.to_attributes(), {1: tensor})

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Copy, then update in order. Source: esp-dl 12c0616 dl_module_scatter_nd.hpp."""
        data, places = required(inputs, 0).array, required(inputs, 1).array
        updates = required(inputs, 2).array
        if places.dtype != np.int64 or places.ndim < 1 or places.shape[-1] > data.ndim:
            raise ModelError(f"indices {places.dtype} {list(places.shape)} do not fit the data")
        if updates.dtype != data.dtype:
            raise ModelError(f"updates of {updates.dtype} for {data.dtype}")
        depth = places.shape[-1]
        at_each = places.reshape(-1, depth).astype(np.int64)
        limits = np.array(data.shape[:depth], dtype=np.int64)
        if at_each.size and ((at_each < 0) | (at_each >= limits)).any():
            raise ModelError(
                "an index lies outside the data",
                hint="the board does not wrap negative indices: count from the front",
            )
        combine = _REDUCTIONS[self.reduction]
        result = data.copy()
        wide = np.float32 if data.dtype.kind == "f" else np.int32
        for place, update in zip(at_each, updates.reshape(-1, *data.shape[depth:]), strict=True):
            where = tuple(place)
            new = combine(np.asarray(result[where]).astype(wide), update.astype(wide))
            result[where] = new if wide is np.float32 else saturate(new, data.dtype)
        return (result,)
