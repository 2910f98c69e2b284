"""What Softmax and LogSoftmax share: the axis, and sums in the order of the board."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, LoweredOperator, LoweringSite, Operand, Operator
from espdl_hil.ir.types import Array, DType
from espdl_hil.numerics import scale_of
from espdl_hil.ops._plain import normal_axis, required
from espdl_hil.ops._shapes import stored_axis
from espdl_hil.ops._table import Float32s

Self = TypeVar("Self", bound="Normalizing")


def refuse_overflow(op_type: str, site: LoweringSite) -> None:
    """Refuse int8 inputs of exponent 0 or more: ``exp(127)`` is infinite in float32."""
    x = site.inputs[0]
    if site.bits == 8 and x is not None and x.quant is not None and x.quant.exponent >= 0:
        raise ModelError(
            f"{op_type} of int8 values up to {127 * 2**x.quant.exponent}: ESP-DL exponentiates "
            "them without subtracting the largest, and the result overflows",
            hint="quantize with 16 bits, or scale the values before down to below 64",
        )


@dataclass(frozen=True, slots=True)
class Normalizing(Operator):
    """Exponentials along one axis, divided by their sum; the output is float32.

    Attributes:
        axis: ONNX's, or the stored one in a lowered model.
    """

    axis: int

    @classmethod
    def from_attributes(cls: type[Self], attributes: Attributes) -> Self:
        """Parse."""
        return cls(attributes.integer("axis", -1))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The axis."""
        return {"axis": Attribute.of(self.axis)}

    def permuted(self: Self, perm: tuple[int, ...]) -> Self:
        """The same axis in the stored order."""
        return replace(self, axis=stored_axis(self.axis, perm))

    @abstractmethod
    def normalize(self, values: Float32s, exponentials: Float32s, total: Float32s) -> Float32s:
        """The result from the (shifted) values, their exponentials and the exponentials' sum."""

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is.

        Raises:
            ModelError: int8 inputs whose exponentials leave float32 (the board subtracts nothing).
        """
        refuse_overflow(self.op_type, site)
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """In int8 without subtracting the maximum, as the board's table of exponentials has it."""
        x = required(inputs, 0)
        if outputs[0].dtype is not DType.FLOAT:
            raise ModelError(f"the board writes float32, the file says {outputs[0].dtype.name}")
        axis = normal_axis(self.axis, x.array.ndim) if x.array.ndim else 0
        values = x.array.astype(np.float32)
        if x.array.ndim == 0:
            values = values.reshape(1)
        if x.array.dtype.kind != "f":
            values = values * scale_of(x.exponent)
        if x.array.dtype != np.int8:
            values = values - values.max(axis=axis, keepdims=True)
        exponentials = np.exp(values.astype(np.float64)).astype(np.float32)
        # Element after element in float32: numpy's own sum adds in pairs.
        running = np.add.accumulate(exponentials, axis=axis, dtype=np.float32)
        total = np.take(running, [-1], axis=axis)
        result = self.normalize(values, exponentials, total)
        return (result.reshape(x.array.shape),)
