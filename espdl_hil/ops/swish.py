"""Swish: x times its logistic function (SiLU)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import Traits
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.ops.sigmoid import logistic
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class Swish(Tabulated):
    """``x / (1 + exp(-x))``."""

    op_type: ClassVar[str] = "Swish"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "sigmoid(x) * x in float32",
            Freedom.LIBRARY,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_swish.hpp",
        ),
    )

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_swish.hpp."""
        return logistic(x) * x
