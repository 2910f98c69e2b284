"""HardSigmoid: a line, clipped to 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import Traits
from espdl_hil.ops._table import TABULATED, Float32s, Tabulated
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class HardSigmoid(Tabulated):
    """``clip(alpha * x + beta, 0, 1)``.

    Attributes:
        alpha: slope.
        beta: value at 0.
    """

    op_type: ClassVar[str] = "HardSigmoid"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "alpha * x + beta in float32",
            Freedom.CONTRACTION,
            dtypes=ANY,
            source="dl_module_hard_sigmoid.hpp",
        ),
    )

    alpha: float
    beta: float

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> HardSigmoid:
        """Parse; ONNX's defaults stand for what is absent."""
        return cls(
            alpha=attributes.number("alpha", 0.2),
            beta=attributes.number("beta", 0.5),
            lut=attributes.text("lut", ""),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        table = {"lut": Attribute.of(self.lut)} if self.lut else {}
        return {
            "alpha": Attribute.of(float(self.alpha)),
            "beta": Attribute.of(float(self.beta)),
            **table,
        }

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_hard_sigmoid.hpp."""
        line = np.float32(self.alpha) * x + np.float32(self.beta)
        clipped: Float32s = np.clip(line, np.float32(0), np.float32(1))
        return clipped
