"""ReduceMax: largest elements along axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._reduce import Reduction, reducing


@dataclass(frozen=True, slots=True)
class ReduceMax(Reduction):
    """The largest element along axes. Source: esp-dl 12c0616 dl_module_reduce_max.hpp."""

    op_type: ClassVar[str] = "ReduceMax"
    traits: ClassVar[Traits] = reducing(ExponentRule.PASSIVE, undecided=())

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Compare raw integers."""
        largest: Array = np.max(groups, axis=-1)
        return largest
