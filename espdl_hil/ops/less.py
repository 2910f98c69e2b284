"""Less: a comparison of raw integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.operator import Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._compare import COMPARING, Comparison


@dataclass(frozen=True, slots=True)
class Less(Comparison):
    """``a < b``. Source: esp-dl 12c0616 dl_base_less.cpp."""

    op_type: ClassVar[str] = "Less"
    traits: ClassVar[Traits] = COMPARING

    def holds(self, left: Array, right: Array) -> Array:
        """``left < right``."""
        return np.less(left, right)
