"""Sqrt: the square root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.operator import Traits
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated


@dataclass(frozen=True, slots=True)
class Sqrt(Tabulated):
    """``sqrt(x)``."""

    op_type: ClassVar[str] = "Sqrt"
    traits: ClassVar[Traits] = TABULATED

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_sqrt.hpp."""
        return np.sqrt(x)
