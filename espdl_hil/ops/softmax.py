"""Softmax: exponentials divided by their sum, in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ops._softmax import Normalizing
from espdl_hil.ops._table import Float32s
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class Softmax(Normalizing):
    """``exp(x) / sum(exp(x))``. Source: esp-dl 12c0616 dl_module_softmax.hpp."""

    op_type: ClassVar[str] = "Softmax"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS,
        ExponentRule.FLOAT,
        undecided=undecided(
            "expf, their sum and a quotient in float32",
            Freedom.LIBRARY,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_softmax.hpp",
        ),
    )

    def normalize(self, values: Float32s, exponentials: Float32s, total: Float32s) -> Float32s:
        """Divide."""
        return exponentials / total
