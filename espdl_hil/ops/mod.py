"""Mod: the remainder of a division, with the sign of the dividend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ops._real_pair import RealPair
from espdl_hil.ops._table import Float32s


@dataclass(frozen=True, slots=True)
class Mod(RealPair):
    """``fmod(a, b)``, and 0 where b is 0. Source: esp-dl 12c0616 dl_base_mod.cpp.

    Attributes:
        fmod: 1 for C's remainder, as the board always computes; 0 is ONNX's integer one.
    """

    op_type: ClassVar[str] = "Mod"
    traits: ClassVar[Traits] = Traits(LayoutRule.BROADCAST, ExponentRule.CALIBRATED)

    fmod: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Mod:
        """Parse."""
        return cls(attributes.integer("fmod", 0))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {"fmod": Attribute.of(self.fmod)}

    def compute(self, left: Float32s, right: Float32s) -> Float32s:
        """``fmodf``, which is exact."""
        return np.where(right == 0, np.float32(0), np.fmod(left, right))
