"""ReduceProd: products along axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array, Floats
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._reduce import Reduction, reducing


@dataclass(frozen=True, slots=True)
class ReduceProd(Reduction):
    """The product along axes. Source: esp-dl 12c0616 dl_module_reduce_prod.hpp."""

    op_type: ClassVar[str] = "ReduceProd"
    traits: ClassVar[Traits] = reducing(ExponentRule.CALIBRATED)

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
