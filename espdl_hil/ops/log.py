"""Log: the natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import LoweredOperator, LoweringSite, Traits
from espdl_hil.ops._domain import bounded_below
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class Log(Tabulated):
    """``log(x)``."""

    op_type: ClassVar[str] = "Log"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "logf(x)",
            Freedom.LIBRARY,
            dtypes=ANY,
            source="dl_module_log.hpp",
        ),
    )

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_log.hpp."""
        return np.log(x.astype(np.float64)).astype(np.float32)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Behind a Clip in int16: the board would store anything for the logarithm of 0."""
        return bounded_below(self.unchanged(), site, 1)
