"""GRU: a gated recurrent layer with int16 gates and tabulated activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
from espdl_hil.ir.types import Array, Ints
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._gates import GATES, lowered_gates, refuse_gates
from espdl_hil.ops._recurrent import Gates, RealSums, Recurrent
from espdl_hil.ops._table import Float32s
from espdl_hil.ops.sigmoid import logistic
from espdl_hil.ops.tanh import hyperbolic
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class GRU(Recurrent):
    """Gates z, r, n. Source: esp-dl 12c0616 dl_module_gru.hpp."""

    op_type: ClassVar[str] = "GRU"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.ONNX,
        ExponentRule.CALIBRATED,
        index_inputs=(4,),
        fixed_inputs=((3, GATES),),
        tied_inputs=(5,),
        undecided=undecided(
            "gate tables from expf, and the state's products and sums in float32, step after step",
            Freedom.LIBRARY,
            Freedom.CONTRACTION,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_gru.hpp",
        ),
    )

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> GRU:
        """Parse."""
        linear = attributes.integer("linear_before_reset", 0)
        if linear != 1:
            raise attributes.unsupported("linear_before_reset", linear, "1")
        return cls(*cls.common(attributes), linear_before_reset=linear)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        linear = {"linear_before_reset": Attribute.of(self.linear_before_reset)}
        return {**Recurrent.to_attributes(self), **linear}

    def check(self, site: LoweringSite) -> None:
        """Refuse weights and lengths of time that the board does not know."""
        refuse_gates(site)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Weights in ONNX order; gates and bias as int16."""
        return lowered_gates(self, site)

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Y and the last hidden state."""
        return self.walk(inputs, outputs, at, 3, {"h": 5})

    def step(self, gates: Gates, state: dict[str, Ints], outputs: Sequence[ValueInfo]) -> None:
        """One time step; the biases wrap in int16."""
        hidden = gates.hidden
        a, b = gates.from_input + gates.bias[0], gates.from_state + gates.bias[1]
        index = a.astype(np.int32) + b.astype(np.int32)
        z = gates.tables.sigmoid_of(index[:hidden])
        r = gates.tables.sigmoid_of(index[hidden : 2 * hidden])
        inner = a[2 * hidden :].astype(np.float32) + r * b[2 * hidden :].astype(np.float32)
        n = gates.tables.tanh_of(gates.rounded(inner))
        new = (np.float32(1) - z) * n * scale_of(-outputs[0].exponent)
        new = new + z * state["h"].astype(np.float32)
        state["h"] = quantize(new, state["h"].dtype, gates.at.target.rounding)

    def step_real(self, sums: RealSums, state: dict[str, Float32s]) -> None:
        """One time step in float32."""
        a, b = sums.from_input, sums.from_state + sums.state_bias
        hidden = sums.hidden
        z, r = logistic(a[: 2 * hidden] + b[: 2 * hidden]).reshape(2, hidden)
        n = hyperbolic(a[2 * hidden :] + r * b[2 * hidden :])
        state["h"] = (np.float32(1) - z) * n + z * state["h"]
