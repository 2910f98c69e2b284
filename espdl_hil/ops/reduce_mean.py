"""ReduceMean: exact sums along axes, divided in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._reduce import Reduction, reducing, running_sum


@dataclass(frozen=True, slots=True)
class ReduceMean(Reduction):
    """The mean along axes. Source: esp-dl 12c0616 dl_module_reduce_mean.hpp."""

    op_type: ClassVar[str] = "ReduceMean"
    traits: ClassVar[Traits] = reducing(ExponentRule.CALIBRATED)

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Sum, scale, divide by the count, scale."""
        count = np.float32(groups.shape[-1])
        if groups.dtype.kind == "f":
            return (running_sum(groups) / count).astype(np.float32)
        total = groups.sum(axis=-1, dtype=np.int64).astype(np.float32)
        scaled = total * scale_of(x.exponent) / count * scale_of(-output.exponent)
        return quantize(scaled, output.dtype.numpy, at.target.rounding)
