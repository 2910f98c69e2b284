"""LSTM: a recurrent layer with a cell, int16 gates and tabulated activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array, DType, Ints
from espdl_hil.numerics import quantize, scale_of, wrap
from espdl_hil.ops._gates import GATES, lowered_gates, refuse_gates
from espdl_hil.ops._recurrent import Gates, RealSums, Recurrent
from espdl_hil.ops._table import Float32s
from espdl_hil.ops.sigmoid import logistic
from espdl_hil.ops.tanh import hyperbolic
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class LSTM(Recurrent):
    """Gates i, o, f, g. Source: esp-dl 12c0616 dl_module_lstm.hpp."""

    op_type: ClassVar[str] = "LSTM"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX,
        ExponentRule.CALIBRATED,
        index_inputs=(4,),
        fixed_inputs=((3, GATES), (6, GATES)),
        fixed_outputs=((2, GATES),),
        tied_inputs=(5,),
        undecided=undecided(
            "gate tables from expf, and the state's products and sums in float32, step after step",
            Freedom.LIBRARY,
            Freedom.CONTRACTION,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_lstm.hpp",
        ),
    )

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> LSTM:
        """Parse."""
        if attributes.integer("input_forget", 0):
            raise attributes.unsupported("input_forget", 1, "0")
        return cls(*cls.common(attributes))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {**Recurrent.to_attributes(self), "input_forget": Attribute.of(0)}

    def check(self, site: LoweringSite) -> None:
        """Refuse weights and lengths of time that the board does not know."""
        refuse_gates(site)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Weights in ONNX order; gates and bias as int16."""
        return lowered_gates(self, site)

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Y, the last hidden state and the last cell."""
        cell = outputs[2] if len(outputs) > 2 else None
        if cell is not None and cell.dtype is DType.FLOAT:
            return self.walk(inputs, outputs, at, 4, {"h": 5, "c": 6})
        if cell is None or cell.dtype is not DType.INT16 or cell.exponent != self.gate_exponent:
            raise ModelError(f"the cell output must be int16 at exponent {self.gate_exponent}")
        return self.walk(inputs, outputs, at, 4, {"h": 5, "c": 6})

    def step(self, gates: Gates, state: dict[str, Ints], outputs: Sequence[ValueInfo]) -> None:
        """One time step; gate sums and the cell wrap in int16."""
        hidden, tables = gates.hidden, gates.tables
        total = gates.from_input + gates.bias[0] + gates.from_state + gates.bias[1]
        i, o, f, g = total.reshape(4, hidden)
        cell = tables.sigmoid_of(f) * state["c"].astype(np.float32)
        cell = cell + tables.sigmoid_of(i) * tables.tanh_of(g) * scale_of(-outputs[2].exponent)
        state["c"] = wrap(gates.rounded(cell), 16).astype(np.int16)
        new = tables.sigmoid_of(o) * tables.tanh_of(state["c"]) * scale_of(-outputs[0].exponent)
        state["h"] = quantize(new, state["h"].dtype, gates.at.target.rounding)

    def step_real(self, sums: RealSums, state: dict[str, Float32s]) -> None:
        """One time step in float32."""
        total = sums.from_input + sums.from_state + sums.state_bias
        i, o, f, g = total.reshape(4, sums.hidden)
        state["c"] = logistic(f) * state["c"] + logistic(i) * hyperbolic(g)
        state["h"] = logistic(o) * hyperbolic(state["c"])
