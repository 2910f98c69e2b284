"""Elementwise functions of one value: a stored table in int8, a float formula elsewhere.

The law of this file: an integer input with a table is looked up, whatever the formula would say;
in int16 only ``LUT`` and ``Gelu`` look up, all others compute (their tables are dead weight).
Source: esp-dl 12c0616 dl_module_sigmoid.hpp ``deserialize`` and its siblings, dl_base_lut.cpp.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Declared,
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array, DType, Floats
from espdl_hil.numerics import quantize, scale_of, shift_round
from espdl_hil.ops._plain import required

Float32s = npt.NDArray[np.float32]

TABULATED = Traits(LayoutRule.PASSIVE, ExponentRule.CALIBRATED, tabulates=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabulated(Operator):
    """A function of one value.

    Attributes:
        lut: name of the table in the file; empty without one.
    """

    lut: str = ""

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Tabulated:
        """Parse the table's name."""
        return cls(lut=attributes.text("lut", ""))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The table's name, where there is one."""
        return {"lut": Attribute.of(self.lut)} if self.lut else {}

    @abstractmethod
    def compute(self, x: Float32s) -> Float32s:
        """The board's formula, rounded to float32 where the C source rounds."""

    def evaluate(self, x: Floats) -> Floats:
        """The real function, as tables are made; the board's formula unless overridden."""
        return self.compute(x.astype(np.float32))

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Where the file has the table."""
        return bool(self.lut) and inputs[0] is not None and inputs[0].dtype is DType.INT8

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Look up int8 where the file has a table, else dequantize, compute and quantize."""
        x, output = required(inputs, 0), outputs[0]
        if x.array.dtype == np.float32:
            return (self.compute(x.array.astype(np.float32)),)
        if self.lut and x.array.dtype == np.int8:
            return (look_up(x, table_named(self.lut, output, at), at),)
        return (self._in_float(x, output, at),)

    def _in_float(self, x: Operand, output: ValueInfo, at: Execution) -> Array:
        real = x.array.astype(np.float32) * scale_of(x.exponent)
        scaled = self.compute(real) * scale_of(-output.exponent)
        return quantize(scaled, output.dtype.numpy, at.target.rounding)


def table_named(name: str, output: ValueInfo, at: Execution) -> Tensor:
    """The table that a node refers to.

    Raises:
        ModelError: it is missing, or its exponent is not that of the output (the board asserts).
    """
    table = at.tables.get(name)
    if table is None:
        raise ModelError(f"the table {name!r} is not in the file")
    if table.exponents != output.exponents:
        raise ModelError(
            f"the table's exponent {table.exponents} is not the output's {output.exponents}"
        )
    return table


def look_up(x: Operand, table: Tensor, at: Execution) -> Array:
    """Table entries of integers: by value in int8, of the nearest step in int16.

    An int16 table has one entry per ``65536 / (len - 1)`` input steps; a tie goes up, or to the
    even entry, by the target's rounding.
    """
    entries = table.array().ravel()
    if entries.dtype != x.array.dtype:
        raise ModelError(f"a table of {entries.dtype} cannot replace {x.array.dtype}")
    if x.array.dtype == np.int8:
        if entries.size != 256:
            raise ModelError(f"an int8 table has 256 entries, not {entries.size}")
        found: Array = entries[x.array.astype(np.int16) + 128]
        return found
    step = 65536 if entries.size < 2 else 65536 // (entries.size - 1)
    if entries.size == 65536:
        step = 1
    if step & (step - 1) or (step > 1 and step * (entries.size - 1) != 65536):
        raise ModelError(f"{entries.size} entries do not divide the int16 range into equal steps")
    positions = x.array.astype(np.int64) + 32768
    return entries[shift_round(positions, step.bit_length() - 1, at.target.rounding)]
