"""The chip's arithmetic on arrays: rounding, saturation, requantization, multiply-accumulate.

The law of this package: it knows numbers, not operators and not layouts. The C reference engine
has its own twin (``hil_num.h``), written apart.
"""

from espdl_hil.numerics.mac import DenseMac, DepthwiseMac, Mac, MacParameters, saturating_sums
from espdl_hil.numerics.rounding import (
    quantize,
    round_float,
    saturate,
    scale_of,
    shift_round,
    wrap,
)

__all__ = [
    "DenseMac",
    "DepthwiseMac",
    "Mac",
    "MacParameters",
    "quantize",
    "round_float",
    "saturate",
    "saturating_sums",
    "scale_of",
    "shift_round",
    "wrap",
]
