"""Clip: values bounded on both sides; a table in int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._plain import required
from espdl_hil.ops._requantize import assigned
from espdl_hil.ops._stored import quantized, tabulate
from espdl_hil.ops._table import look_up, table_named


@dataclass(frozen=True, slots=True)
class Clip(Operator):
    """``min(max(x, low), high)``; the bounds are inputs 1 and 2, integers at x's exponent.

    Attributes:
        lut: name of the table in the file; empty without one.
    """

    op_type: ClassVar[str] = "Clip"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.PASSIVE,
        ExponentRule.CALIBRATED,
        bounds=True,
        index_inputs=(1, 2),
        attribute_inputs=(("min", 1), ("max", 2)),
    )

    lut: str = ""

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Clip:
        """Parse."""
        return cls(attributes.text("lut", ""))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The table's name, where there is one."""
        return {"lut": Attribute.of(self.lut)} if self.lut else {}

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Both bounds as integers at x's exponent; in int8 also a table."""
        x, y = site.inputs[0], site.outputs[0]
        assert x is not None
        if x.quant is None or y.quant is None:
            raise ModelError("a Clip of floats", hint="only quantized ones are lowered")
        low, high = _real_bound(site, 1, -np.inf), _real_bound(site, 2, np.inf)
        rounding = site.target.rounding
        parameters = {
            index: Tensor.of(
                f"{site.node}/{name}",
                quantized(np.array(bound, dtype=np.float32), x.quant, rounding),
                exponents=x.quant.exponents,
            )
            for index, (name, bound) in enumerate((("low", low), ("high", high)), start=1)
        }
        if site.bits != 8:
            return LoweredOperator(self.op_type, {}, parameters)
        table = tabulate(
            lambda real: np.clip(real, low, high),
            f"{self.op_type}_lut",
            (x.quant.exponent, y.quant.exponent),
            rounding,
        )
        return LoweredOperator(self.op_type, {}, parameters, (table,))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Look up, or clip and rescale. Source: esp-dl 12c0616 dl_module_clip.hpp."""
        x, output = required(inputs, 0), outputs[0]
        if self.lut and x.array.dtype == np.int8:
            return (look_up(x, table_named(self.lut, output, at), at),)
        if len(inputs) == 1:
            return (assigned(x, output, at),)
        low, high = _bound(inputs, 1, x), _bound(inputs, 2, x)
        if x.array.dtype.kind == "f":
            if low is None:
                raise ModelError(
                    "a float Clip without lower bound: ESP-DL takes the smallest positive number",
                    hint="write the lowest float as lower bound",
                )
            return (np.clip(x.array, low, high),)
        clipped = np.clip(x.array, low, high).astype(np.float32)
        scaled = clipped * scale_of(x.exponent - output.exponent)
        return (quantize(scaled, output.dtype.numpy, at.target.rounding),)


def _real_bound(site: LoweringSite, index: int, missing: float) -> np.float32:
    """A constant bound; ``missing`` where the node omits it."""
    given = site.inputs[index] if index < len(site.inputs) else None
    if given is None or given.constant is None:
        return np.float32(missing)
    return np.float32(given.constant.ravel()[0])


def _bound(inputs: Sequence[Operand | None], index: int, x: Operand) -> Array | None:
    """A bound, one element of x's type; ``None`` where it is omitted."""
    operand = inputs[index] if index < len(inputs) else None
    if operand is None:
        return None
    if operand.array.dtype != x.array.dtype or operand.array.size != 1:
        raise ModelError(
            f"bound {index} has {operand.array.size} elements of {operand.array.dtype}, "
            f"expected one of {x.array.dtype}"
        )
    return operand.array.reshape(())
