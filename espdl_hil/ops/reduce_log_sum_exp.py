"""ReduceLogSumExp: logarithms of sums of exponentials along axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._reduce import Reduction, logarithm, reducing, running_sum
from espdl_hil.ops._softmax import refuse_overflow
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class ReduceLogSumExp(Reduction):
    """The logarithm of the sum of exponentials, without subtracting a maximum.

    Source: esp-dl 12c0616 dl_module_reduce_log_sum_exp.hpp.
    """

    op_type: ClassVar[str] = "ReduceLogSumExp"
    traits: ClassVar[Traits] = reducing(
        ExponentRule.CALIBRATED,
        undecided(
            "logf of a sum of expf in float32",
            Freedom.LIBRARY,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_reduce_log_sum_exp.hpp",
        ),
    )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Axes in stored order; int8 inputs whose exponentials leave float32 are refused."""
        refuse_overflow(self.op_type, site)
        return Reduction.lower(self, site)

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Add exponentials one after the other in float32."""
        quantized = groups.dtype.kind != "f"
        real = groups.astype(np.float32)
        if quantized:
            real = real * scale_of(x.exponent)
        exponentials = np.exp(real.astype(np.float64)).astype(np.float32)
        value = logarithm(running_sum(exponentials))
        if not quantized:
            return value
        return quantize(value * scale_of(-output.exponent), output.dtype.numpy, at.target.rounding)
