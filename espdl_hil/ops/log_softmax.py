"""LogSoftmax: values less the logarithm of the sum of their exponentials, in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.freedom import ANY, undecided
from espdl_hil.ir.operator import ExponentRule, LayoutRule, Traits
from espdl_hil.ops._softmax import Normalizing
from espdl_hil.ops._table import Float32s
from espdl_hil.targets import Freedom


@dataclass(frozen=True, slots=True)
class LogSoftmax(Normalizing):
    """``x - log(sum(exp(x)))``. Source: esp-dl 12c0616 dl_module_log_softmax.hpp."""

    op_type: ClassVar[str] = "LogSoftmax"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS,
        ExponentRule.FLOAT,
        undecided=undecided(
            "logf of a sum of expf in float32",
            Freedom.LIBRARY,
            Freedom.REORDERING,
            dtypes=ANY,
            source="dl_module_log_softmax.hpp",
        ),
    )

    def normalize(self, values: Float32s, exponentials: Float32s, total: Float32s) -> Float32s:
        """Subtract."""
        return values - np.log(total.astype(np.float64)).astype(np.float32)
