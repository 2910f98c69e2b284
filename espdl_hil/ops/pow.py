"""Pow: a power, computed in float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ops._real_pair import RealPair
from espdl_hil.ops._table import Float32s
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class Pow(RealPair):
    """``a ** b``. Source: esp-dl 12c0616 dl_base_pow.cpp."""

    op_type: ClassVar[str] = "Pow"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.BROADCAST,
        ExponentRule.CALIBRATED,
        undecided=undecided("powf(a, b)", Freedom.LIBRARY, dtypes=ANY, source="dl_base_pow.cpp"),
    )

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Pow:
        """There are none."""
        return cls()

    def to_attributes(self) -> Mapping[str, Attribute]:
        """None."""
        return {}

    def compute(self, left: Float32s, right: Float32s) -> Float32s:
        """``powf``, rounded once."""
        return np.power(left.astype(np.float64), right.astype(np.float64)).astype(np.float32)
