"""ReduceL1: exact sums of magnitudes along axes."""

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
class ReduceL1(Reduction):
    """The sum of magnitudes along axes. Source: esp-dl 12c0616 dl_module_reduce_l1.hpp."""

    op_type: ClassVar[str] = "ReduceL1"
    traits: ClassVar[Traits] = reducing(ExponentRule.CALIBRATED)

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Sum exactly, then shift."""
        if groups.dtype.kind == "f":
            return running_sum(np.abs(groups))
        total = np.abs(groups.astype(np.int64)).sum(axis=-1)
        shifted = shift_round(total, output.exponent - x.exponent, at.target.rounding)
        return saturate(shifted, output.dtype.numpy)
