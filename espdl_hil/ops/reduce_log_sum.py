"""ReduceLogSum: logarithms of sums along axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._reduce import Reduction, logarithm, reducing, running_sum
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class ReduceLogSum(Reduction):
    """The logarithm of the sum along axes. Source: esp-dl 12c0616 dl_module_reduce_log_sum.hpp."""

    op_type: ClassVar[str] = "ReduceLogSum"
    traits: ClassVar[Traits] = reducing(
        ExponentRule.CALIBRATED,
        undecided(
            "logf of a sum", Freedom.LIBRARY, dtypes=ANY, source="dl_module_reduce_log_sum.hpp"
        ),
    )

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Sum exactly, then take the logarithm in float32."""
        if groups.dtype.kind == "f":
            return logarithm(running_sum(groups))
        total = groups.sum(axis=-1, dtype=np.int64).astype(np.float32)
        value = logarithm(total * scale_of(x.exponent))
        return quantize(value * scale_of(-output.exponent), output.dtype.numpy, at.target.rounding)
