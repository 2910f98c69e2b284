"""ReduceMin: smallest elements along axes."""

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
class ReduceMin(Reduction):
    """The smallest element along axes. Source: esp-dl 12c0616 dl_module_reduce_min.hpp."""

    op_type: ClassVar[str] = "ReduceMin"
    traits: ClassVar[Traits] = reducing(ExponentRule.PASSIVE, undecided=())

    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """Compare raw integers."""
        smallest: Array = np.min(groups, axis=-1)
        return smallest
