"""Inputs kept where a function is defined: the board's float formulas do not look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.operator import LoweredOperator, LoweringSite, Move
from espdl_hil.ops.clip import Clip


def bounded_below(lowered: LoweredOperator, site: LoweringSite, lowest: int) -> LoweredOperator:
    """``lowered`` behind a Clip of its int16 input to ``lowest`` steps; in int8 it has a table."""
    x = site.inputs[0]
    if site.bits == 8 or x is None or x.quant is None:
        return lowered
    low, high = (
        Tensor.of(name, np.array([bound], dtype=np.int16), exponents=x.quant.exponents)
        for name, bound in (("low", lowest), ("high", 32767))
    )
    shape = tuple(x.shape[axis] for axis in x.perm)
    return replace(lowered, moves={0: (Move(Clip(), shape, (0,), (low, high)),)})
