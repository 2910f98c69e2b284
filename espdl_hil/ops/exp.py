"""Exp: the exponential function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import Traits
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class Exp(Tabulated):
    """``exp(x)``."""

    op_type: ClassVar[str] = "Exp"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "expf(x)",
            Freedom.LIBRARY,
            dtypes=ANY,
            source="dl_module_exp.hpp",
        ),
    )

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_exp.hpp."""
        return np.exp(x.astype(np.float64)).astype(np.float32)
