"""HardSwish: x times a clipped line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.operator import Traits
from espdl_hil.ir.types import Floats
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated


@dataclass(frozen=True, slots=True)
class HardSwish(Tabulated):
    """``x * clip(x / 6 + 1 / 2, 0, 1)``."""

    op_type: ClassVar[str] = "HardSwish"
    traits: ClassVar[Traits] = TABULATED

    def compute(self, x: Float32s) -> Float32s:
        """With 0.166667 in double for 1/6. Source: esp-dl 12c0616 dl_module_hard_swish.hpp."""
        wide = x.astype(np.float64)
        return (np.clip(0.166667 * wide + 0.5, 0.0, 1.0) * wide).astype(np.float32)

    def evaluate(self, x: Floats) -> Floats:
        """``x * relu6(x + 3) / 6`` in float32."""
        single = x.astype(np.float32)
        clipped: Float32s = np.clip(single + np.float32(3), 0, 6)
        return single * clipped / np.float32(6)
