"""Function: any real function of one value, which the board knows only as a table (``LUT``).

The law of this file: a function is a list of ONNX steps; its table holds what those steps give,
rounded once. It exists from import to lowering, and in no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, AttributeKind, Attributes
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array, Floats
from espdl_hil.numerics import shift_round
from espdl_hil.ops._formulas import COMPANIONS, FORMULAS, Doubles
from espdl_hil.ops._stored import quantized
from espdl_hil.ops._table import TABULATED
from espdl_hil.ops.lut import LUT

_STEPS = (256, 128, 64, 32, 16, 8)  # 257 to 8193 entries, at most 16 KiB
_WORST = 128  # of 65536: a table that is further off is no better than int8


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a function.

    Attributes:
        kind: ONNX operator name.
        operands: an integer for the function's argument (0) or the result of a step (from 1 on), a
            float for a constant; ``None`` for an omitted one.
        parameters: float attributes by name, sorted.
    """

    kind: str
    operands: tuple[int | float | None, ...]
    parameters: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Function(Operator):
    """A composition of elementwise operators on one value and constants.

    Attributes:
        steps: in order; the last one gives the result.
    """

    op_type: ClassVar[str] = LUT.op_type
    traits: ClassVar[Traits] = TABULATED

    steps: tuple[Step, ...]

    @classmethod
    def known(cls, op_type: str) -> bool:
        """Whether the ONNX operator is a function of one value without a kernel in ESP-DL."""
        return op_type in FORMULAS

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Function:
        """One ONNX operator as a function; its attributes are numbers."""
        return cls((Step(attributes.op_type, (0,), parameters_of(attributes.items)),))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """What the table stands for; informational."""
        return {"original_op_type": Attribute.of("+".join(step.kind for step in self.steps))}

    def evaluate(self, x: Floats) -> Floats:
        """The function, computed in double."""
        results: list[Doubles] = [x.astype(np.float64)]
        with np.errstate(all="ignore"):
            for step in self.steps:
                formula = FORMULAS.get(step.kind) or COMPANIONS[step.kind]
                operands = [
                    results[given] if isinstance(given, int) else given for given in step.operands
                ]
                limits = (-np.inf, np.inf)
                operands = [
                    limits[index - 1] if given is None else given
                    for index, given in enumerate(operands)
                ]
                results.append(formula(*operands, **dict(step.parameters)))
        return np.broadcast_to(results[-1], x.shape).astype(np.float64)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """A table: exact in int8; in int16 the coarsest that is right to one step, if any is.

        Raises:
            ModelError: int16, and the best table is no better than int8 would be (a jump, a pole).
        """
        x, y = site.inputs[0], site.outputs[0]
        if site.bits == 8 or x is None or x.quant is None or y.quant is None:
            return self.unchanged()
        every = np.arange(-32768, 32769)
        with np.errstate(all="ignore"):
            real = self.evaluate(np.ldexp(every.astype(np.float64), x.quant.exponent))
        exact = quantized(np.nan_to_num(real), y.quant, site.target.rounding)
        wanted = exact[:-1].astype(np.int64)
        for step in _STEPS:
            entries = exact[::step]
            nearest = shift_round(every[:-1] + 32768, step.bit_length() - 1, site.target.rounding)
            worst = int(np.abs(entries[nearest].astype(np.int64) - wanted).max())
            if worst <= 1:
                break
        if worst > _WORST:
            names = " and ".join(step.kind for step in self.steps)
            raise ModelError(
                f"an int16 table of {names} is {worst} steps off where it is steep",
                node=site.node,
                hint="quantize to int8, or compute it in the application",
            )
        table = Tensor.of(f"{self.op_type}_lut", entries, exponents=y.quant.exponents)
        return LoweredOperator(self.op_type, self.to_attributes(), {}, (table,))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Never called: a file holds a ``LUT`` in its place."""
        raise ModelError("a function is lowered to a table before it runs")


def parameters_of(attributes: Mapping[str, Attribute]) -> tuple[tuple[str, float], ...]:
    """The float attributes by name, sorted."""
    return tuple(
        (name, float(item.value))  # type: ignore[arg-type]
        for name, item in sorted(attributes.items())
        if item.kind is AttributeKind.FLOAT
    )
