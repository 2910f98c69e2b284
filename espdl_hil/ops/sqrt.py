"""Sqrt: the square root."""

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
class Sqrt(Tabulated):
    """``sqrt(x)``."""

    op_type: ClassVar[str] = "Sqrt"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "sqrtf(x)",
            Freedom.ESTIMATE,
            dtypes=ANY,
            source="dl_module_sqrt.hpp",
        ),
    )

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_sqrt.hpp."""
        return np.sqrt(x)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Behind a Clip in int16: the board would store anything for the root of -1."""
        return bounded_below(self.unchanged(), site, 0)
