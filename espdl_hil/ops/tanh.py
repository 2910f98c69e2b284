"""Tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.operator import Traits
from espdl_hil.ir.types import Floats
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.ops.sigmoid import logistic


@dataclass(frozen=True, slots=True)
class Tanh(Tabulated):
    """``tanh(x)``, which the board derives from the logistic function."""

    op_type: ClassVar[str] = "Tanh"
    traits: ClassVar[Traits] = TABULATED

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_math.hpp ``tanh``."""
        return np.float32(2) * logistic(np.float32(2) * x) - np.float32(1)

    def evaluate(self, x: Floats) -> Floats:
        """The true tangent, rounded once."""
        return np.tanh(x.astype(np.float64)).astype(np.float32)
