"""Tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import Traits
from espdl_hil.ir.types import Floats
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.ops.sigmoid import logistic
from espdl_hil.targets import Freedom


def hyperbolic(x: Float32s) -> Float32s:
    """esp-dl 12c0616 dl_math.hpp ``tanh``: from the logistic function, in float32."""
    return np.float32(2) * logistic(np.float32(2) * x) - np.float32(1)


@dataclass(frozen=True, slots=True)
class Tanh(Tabulated):
    """``tanh(x)``, which the board derives from the logistic function."""

    op_type: ClassVar[str] = "Tanh"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "2 * sigmoid(2x) - 1 in float32",
            Freedom.LIBRARY,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_math.hpp tanh",
        ),
    )

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_math.hpp ``tanh``."""
        return hyperbolic(x)

    def evaluate(self, x: Floats) -> Floats:
        """The true tangent, rounded once."""
        return np.tanh(x.astype(np.float64)).astype(np.float32)
