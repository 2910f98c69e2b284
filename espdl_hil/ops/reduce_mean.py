"""ReduceMean: exact sums along axes, divided in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.freedom import QUANTIZED, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Declared, Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._reduce import ADDING, Reduction, group_size, reducing, running_sum
from espdl_hil.ops.average_pool import halves_exactly
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class ReduceMean(Reduction):
    """The mean along axes. Source: esp-dl 12c0616 dl_module_reduce_mean.hpp."""

    op_type: ClassVar[str] = "ReduceMean"
    traits: ClassVar[Traits] = reducing(
        ExponentRule.CALIBRATED,
        ADDING
        + undecided(
            "a quotient of an exact sum in float32",
            Freedom.REORDERING,
            dtypes=QUANTIZED,
            source="dl_module_reduce_mean.hpp",
        ),
    )

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Where a power of two of elements is divided."""
        return halves_exactly(inputs[0], group_size(inputs[0], outputs[0]))

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
