"""Elu: an exponential on the negative side."""

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
class Elu(Tabulated):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``.

    Attributes:
        alpha: scale of the negative side.
    """

    op_type: ClassVar[str] = "Elu"
    traits: ClassVar[Traits] = replace(
        TABULATED,
        undecided=undecided(
            "alpha * (expf(x) - 1) in float32",
            Freedom.LIBRARY,
            Freedom.CONTRACTION,
            dtypes=ANY,
            source="dl_module_elu.hpp",
        ),
    )

    alpha: float

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Elu:
        """Parse; ONNX's defaults stand for what is absent."""
        return cls(
            alpha=attributes.number("alpha", 1.0),
            lut=attributes.text("lut", ""),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        table = {"lut": Attribute.of(self.lut)} if self.lut else {}
        return {"alpha": Attribute.of(float(self.alpha)), **table}

    def compute(self, x: Float32s) -> Float32s:
        """Source: esp-dl 12c0616 dl_module_elu.hpp."""
        exponential = np.exp(np.minimum(x, 0).astype(np.float64)).astype(np.float32)
        return np.where(x >= 0, x, np.float32(self.alpha) * (exponential - np.float32(1)))
