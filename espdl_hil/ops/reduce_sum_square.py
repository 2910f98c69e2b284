"""ReduceSumSquare: exact sums of squares along axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.numerics import saturate, shift_round
from espdl_hil.ops._reduce import Reduction, reducing, running_sum


@dataclass(frozen=True, slots=True)
class ReduceSumSquare(Reduction):
    """The sum of squares along axes. Source: esp-dl 12c0616 dl_module_reduce_sum_square.hpp."""

    op_type: ClassVar[str] = "ReduceSumSquare"
    traits: ClassVar[Traits] = reducing(ExponentRule.CALIBRATED)

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Sum exactly, then shift."""
        if groups.dtype.kind == "f":
            return running_sum(groups * groups)
        total = (groups.astype(np.int64) ** 2).sum(axis=-1)
        shifted = shift_round(total, output.exponent - 2 * x.exponent, at.target.rounding)
        return saturate(shifted, output.dtype.numpy)
