"""ReduceL2: Euclidean lengths along axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._newton import root
from espdl_hil.ops._reduce import Reduction, reducing, running_sum
from espdl_hil.targets import Freedom

_LARGEST_EXPONENT = 15


@dataclass(frozen=True, slots=True)
class ReduceL2(Reduction):
    """The Euclidean length along axes. Source: esp-dl 12c0616 dl_module_reduce_l2.hpp."""

    op_type: ClassVar[str] = "ReduceL2"
    traits: ClassVar[Traits] = reducing(
        ExponentRule.CALIBRATED,
        undecided(
            "an iterated root in float32",
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_math.hpp sqrt_newton",
        ),
    )

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Sum exactly, then take ESP-DL's Newton root in float32."""
        if groups.dtype.kind == "f":
            return root(running_sum(groups * groups))
        if abs(x.exponent) > _LARGEST_EXPONENT:
            raise ModelError(
                f"input exponent {x.exponent}: ESP-DL shifts 1 by twice of it in 32 bits",
                hint=f"exponents are right up to {_LARGEST_EXPONENT}; use int8, or scale the input",
            )
        total = (groups.astype(np.int64) ** 2).sum(axis=-1).astype(np.float32)
        length = root(total * scale_of(2 * x.exponent))
        return quantize(length * scale_of(-output.exponent), output.dtype.numpy, at.target.rounding)
