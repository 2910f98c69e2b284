"""GlobalAveragePool: the mean over all positions of each channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Declared,
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import Plain, required
from espdl_hil.ops._window import as_image, like_input
from espdl_hil.ops.average_pool import AVERAGING, averaged, halves_exactly


@dataclass(frozen=True, slots=True)
class GlobalAveragePool(Plain):
    """An AveragePool over everything. Source: esp-dl 12c0616 dl_module_global_average_pool.hpp."""

    op_type: ClassVar[str] = "GlobalAveragePool"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.CHANNELS_LAST, ExponentRule.CALIBRATED, undecided=AVERAGING
    )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Where there is a power of two of positions."""
        x = inputs[0]
        return x is not None and halves_exactly(x, math.prod(x.dims[1:-1]))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Sum in the kernel's order, then scale."""
        x = required(inputs, 0)
        image = as_image(x.array)
        positions = image.reshape(-1, image.shape[-1])
        if positions.dtype.kind == "f":
            # One after the other, as in C: numpy's own sum adds in pairs.
            sums = np.add.accumulate(positions, axis=0)[-1]
        else:
            sums = positions.sum(axis=0, dtype=np.int64)
        mean = averaged(sums, len(positions), x, outputs[0], at)
        return (like_input(mean[None, None], x.array.ndim),)
