"""Div: float32 division of integers, with ESP-DL's answers where the divisor is 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Declared,
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array, DType
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._elementwise import Broadcast, merged, pair_of, refuse_deep
from espdl_hil.ops._plain import Plain
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class Div(Plain):
    """``a / b``. Source: esp-dl 12c0616 dl_base_div.cpp."""

    op_type: ClassVar[str] = "Div"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.BROADCAST,
        ExponentRule.CALIBRATED,
        latches=(0, 1),
        undecided=undecided(
            "a quotient in float32",
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_base_div.cpp c_impl_div_n_n",
        ),
    )

    def check(self, site: LoweringSite) -> None:
        """Refuse an operand of one element that changes: its table is made in the first run."""
        refuse_deep(site)
        for index, given in enumerate(site.inputs[:2]):
            assert given is not None
            if site.bits == 8 and given.constant is None and int(np.prod(given.shape)) == 1:
                raise ModelError(
                    f"input {index} is a single int8 value computed at run time: ESP-DL keeps its "
                    "value of the first run",
                    hint="expand it to the shape of the other operand, or use 16 bits",
                )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Where the divisors are powers of two, or 0."""
        divisor = inputs[1] if len(inputs) > 1 else None
        if not isinstance(divisor, Tensor) or divisor.dtype is DType.FLOAT:
            return False
        magnitudes = np.abs(divisor.array().astype(np.int64))
        return not (magnitudes & (magnitudes - 1)).any()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Divide; an int8 operand of one element goes through ESP-DL's table of quotients."""
        left, right = pair_of(inputs)
        a, b = left.array, right.array
        loop = merged(a.shape, b.shape)
        if a.dtype.kind == "f":
            return (_floats(a, b, loop),)
        # Powers of two: the scales commute with every rounding below.
        factor = scale_of(left.exponent - right.exponent - outputs[0].exponent)
        dividend, divisor = a.astype(np.float32), b.astype(np.float32)
        if loop.right == 1 and loop.left != 1:
            quotient = dividend * (factor / divisor)
        else:
            quotient = dividend * factor / divisor
        result = quantize(quotient, outputs[0].dtype.numpy, at.target.rounding)
        limits = np.iinfo(a.dtype)  # type: ignore[type-var]
        by_table = a.dtype == np.int8 and 1 in (a.size, b.size)
        if not by_table or loop.left == 1:
            infinite = np.where(np.greater(a, 0), limits.max, limits.min).astype(a.dtype)
            result = np.where(b == 0, infinite, result)
        if not by_table or loop.left != 1:
            result = np.where(a == 0, np.zeros((), a.dtype), result)
        return (result,)


def _floats(a: Array, b: Array, loop: Broadcast) -> Array:
    if loop.right == 1 and loop.left != 1:
        inverse = (1.0 / b.astype(np.float64)).astype(np.float32)
        return np.multiply(a, inverse)
    return np.divide(a, b)
