"""ReduceProd: products along axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.freedom import ANY, QUANTIZED, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Declared, Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array, Floats
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._reduce import Reduction, group_size, reducing
from espdl_hil.targets import Freedom

_EXACT = 3  # factors of 7 bits in 24, or of 15 bits in 53


@dataclass(frozen=True, slots=True)
class ReduceProd(Reduction):
    """The product along axes. Source: esp-dl 12c0616 dl_module_reduce_prod.hpp."""

    op_type: ClassVar[str] = "ReduceProd"
    traits: ClassVar[Traits] = reducing(
        ExponentRule.CALIBRATED,
        undecided(
            "a product of many factors in float32, or double in int16",
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_reduce_prod.hpp",
        ),
    )

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Up to three integers, whose product the float type holds exactly."""
        x = inputs[0]
        return x is not None and x.dtype in QUANTIZED and group_size(x, outputs[0]) <= _EXACT

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Multiply one after the other: float32 in int8, double in int16."""
        if groups.dtype.kind == "f":
            return np.multiply.accumulate(groups, axis=-1)[..., -1]
        kind = np.float32 if groups.dtype == np.int8 else np.float64
        real = (groups.astype(np.float32) * scale_of(x.exponent)).astype(kind)
        product = np.multiply.accumulate(real, axis=-1)[..., -1]
        scaled: Floats = product * kind(scale_of(-output.exponent))
        return quantize(scaled, output.dtype.numpy, at.target.rounding)
