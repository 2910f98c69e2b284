"""Sigmoid: the logistic function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import Traits
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.targets import Freedom


def logistic(x: Float32s) -> Float32s:
    """esp-dl 12c0616 dl_math.hpp ``sigmoid``: expf, then double, then float32."""
    exponential = np.exp(-x.astype(np.float64)).astype(np.float32)
    return (1.0 / (1.0 + exponential.astype(np.float64))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Sigmoid(Tabulated):
    """``1 / (1 + exp(-x))``."""

    op_type: ClassVar[str] = "Sigmoid"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "1 / (1 + expf(-x)) in float32",
            Freedom.LIBRARY,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_math.hpp sigmoid",
        ),
    )

    def compute(self, x: Float32s) -> Float32s:
        """Divide in double, as the source's constants do."""
        return logistic(x)
