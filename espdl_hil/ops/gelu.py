"""Gelu: x weighted by the normal distribution; the board knows it only as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import Execution, LoweredOperator, LoweringSite, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import required
from espdl_hil.ops._stored import quantized
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated, look_up, table_named

_INT16_STEP = 16  # a table of 8 KiB; esp-ppq takes 256, which costs 4 bits


@dataclass(frozen=True, slots=True)
class Gelu(Tabulated):
    """``x * P(X <= x)`` for a standard normal X.

    Attributes:
        approximate: ``"none"``, or ``"tanh"`` for the usual approximation.
    """

    op_type: ClassVar[str] = "Gelu"
    traits: ClassVar[Traits] = TABULATED

    approximate: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Gelu:
        """Parse."""
        approximate = attributes.text("approximate", "none")
        if approximate not in ("none", "tanh"):
            raise attributes.unsupported("approximate", approximate, "none or tanh")
        return cls(approximate, lut=attributes.text("lut", ""))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        table = {"lut": Attribute.of(self.lut)} if self.lut else {}
        return {"approximate": Attribute.of(self.approximate), **table}

    def compute(self, x: Float32s) -> Float32s:
        """In double, rounded once."""
        wide = x.astype(np.float64)
        if self.approximate == "tanh":
            inner = math.sqrt(2.0 / math.pi) * (wide + 0.044715 * wide**3)
            return (0.5 * wide * (1.0 + np.tanh(inner))).astype(np.float32)
        error = np.array([math.erf(v) for v in (wide / math.sqrt(2.0)).ravel()])
        return (0.5 * wide * (1.0 + error.reshape(wide.shape))).astype(np.float32)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """A table in int16 too: the runtime takes its nearest entry, one per 16 input steps."""
        x, y = site.inputs[0], site.outputs[0]
        if site.bits == 8 or x is None or x.quant is None or y.quant is None:
            return self.unchanged()
        steps = np.arange(-32768, 32769, _INT16_STEP).astype(np.float32)
        real = self.evaluate(np.ldexp(steps, x.quant.exponent))
        entries = quantized(real, y.quant, site.target.rounding)
        table = Tensor.of(f"{self.op_type}_lut", entries, exponents=y.quant.exponents)
        return replace(self.unchanged(), tables=(table,))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Look up, in int8 and in int16."""
        x = required(inputs, 0)
        if not self.lut:
            raise ModelError("the board computes Gelu only with a table", hint="export a table")
        return (look_up(x, table_named(self.lut, outputs[0], at), at),)
