"""MaxPool: the largest value of each window; padding takes no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, LayoutRule, Operand, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import required
from espdl_hil.ops._pool import Pool
from espdl_hil.ops._window import as_image, like_input


@dataclass(frozen=True, slots=True)
class MaxPool(Pool):
    """The largest tap. Source: esp-dl 12c0616 dl_base_max_pool2d.cpp."""

    op_type: ClassVar[str] = "MaxPool"
    traits: ClassVar[Traits] = Traits(LayoutRule.CHANNELS_LAST, ExponentRule.PASSIVE)

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Compare tap by tap."""
        x = required(inputs, 0).array
        image = as_image(x)
        window = self.window(image)
        floor = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min  # type: ignore[type-var]
        padded = window.padded(image, floor)
        result = window.tap(padded, 0, 0).copy()
        for tap in range(1, window.kernel[0] * window.kernel[1]):
            np.maximum(result, window.tap(padded, *divmod(tap, window.kernel[1])), out=result)
        return (like_input(result, x.ndim),)
