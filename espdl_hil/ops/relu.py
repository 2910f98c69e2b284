"""Relu that no kernel absorbed: negative values become 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.operator import Traits
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated


@dataclass(frozen=True, slots=True)
class Relu(Tabulated):
    """``max(x, 0)``."""

    op_type: ClassVar[str] = "Relu"
    traits: ClassVar[Traits] = replace(TABULATED, rectifies=True, bounds=True)

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_relu.hpp."""
        return np.maximum(x, np.float32(0))
