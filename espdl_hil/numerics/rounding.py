"""From wide values to stored integers: shift, round, saturate, wrap.

Source: esp-dl 12c0616 ``dl_tool.cpp`` (``round``, ``shift_and_round``), ``dl_tool.hpp``
(``truncate``), ``dl_tensor_base.cpp`` (``quantize``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.types import Array, Floats, Ints
from espdl_hil.targets import Rounding

_TIE = 1e-6  # how far beyond a tie a double still counts as that tie, with rounding half even
_WIDEST = 63  # the largest shift of a 64-bit value; beyond it every result is 0


def scale_of(exponent: int) -> np.float32:
    """``2**exponent`` as float32."""
    return np.float32(np.ldexp(np.float32(1.0), exponent))


def shift_round(acc: Ints, shift: int | Ints, rounding: Rounding) -> npt.NDArray[np.int64]:
    """Divide accumulators by ``2**shift`` with the target's rounding.

    Args:
        acc: any shape; exact integers of up to 64 bits.
        shift: bits, one or an array that broadcasts; a negative shift moves left and saturates
            at 64 bits.
        rounding: rounding of the discarded bits.

    Source: esp-dl 12c0616 dl_tool.cpp ``shift_and_round_half_up``, ``shift_and_round_half_even``.
    """
    wide = acc.astype(np.int64)
    shifts = np.asarray(shift, dtype=np.int64)
    right = np.clip(shifts, 1, _WIDEST)
    quotient = wide >> right
    match rounding:
        case Rounding.HALF_UP:
            # The highest discarded bit decides; adding half first could leave 64 bits.
            rounded = quotient + ((wide >> (right - 1)) & 1)
        case Rounding.HALF_EVEN:
            remainder = wide - (quotient << right)
            half = np.int64(1) << (right - 1)
            up = (remainder > half) | ((remainder == half) & (quotient & 1 == 1))
            rounded = quotient + up
    left = np.clip(-shifts, 0, _WIDEST - 1)
    limit = np.int64(np.iinfo(np.int64).max) >> left
    moved = np.clip(wide, -limit, limit) << left
    result = np.where(shifts > 0, rounded, np.where(shifts == 0, wide, moved))
    return np.where(shifts > _WIDEST, np.int64(0), result)


def round_float(x: Floats, rounding: Rounding) -> Floats:
    """Round to whole numbers the way the target converts float32, or double, to an integer.

    Half up adds one half in the type of ``x`` before it takes the floor, so 0.49999997 gives 1.
    In double, half even treats what lies up to 1e-6 beyond a tie (away from 0) as that tie.
    """
    match rounding:
        case Rounding.HALF_UP:
            return np.floor(x + x.dtype.type(0.5))
        case Rounding.HALF_EVEN if x.dtype == np.float64:
            away = np.trunc(x + np.copysign(0.5, x))
            tie = np.abs(x + np.copysign(0.5, x) - away) < _TIE
            odd = np.fmod(away, 2.0) != 0.0
            return np.where(tie & odd, away - np.copysign(1.0, x), away)
        case Rounding.HALF_EVEN:
            return np.rint(x)


def saturate(x: npt.NDArray[Any], dtype: npt.DTypeLike) -> Ints:
    """Clip whole numbers (integer or float) to the range of an integer type and convert."""
    limits = np.iinfo(np.dtype(dtype))
    clipped: Ints = np.clip(x, limits.min, limits.max).astype(dtype)
    return clipped


def quantize(x: Floats, dtype: npt.DTypeLike, rounding: Rounding) -> Ints:
    """Round scaled floats with the target's rounding and saturate.

    ``x`` is already in units of the output (multiplied by ``2**-exponent``). C leaves the
    conversion of infinities and NaN undefined. Half up, the reference integers have the most
    negative integer for all of them; half even, RISC-V's conversion saturates and takes NaN as
    the largest.
    """
    limits = np.iinfo(np.dtype(dtype))
    positive = limits.min if rounding is Rounding.HALF_UP else limits.max
    whole = round_float(x, rounding)
    finite = np.nan_to_num(whole, nan=positive, posinf=positive, neginf=limits.min)
    return saturate(finite, dtype)


def wrap(x: Ints, bits: int) -> npt.NDArray[np.int64]:
    """Keep the low ``bits`` of integers as a two's complement number."""
    above = max(64 - bits, 0)
    kept: npt.NDArray[np.int64] = (x.astype(np.int64) << above) >> above
    return kept


def is_integer(array: Array) -> bool:
    """Whether the elements are integers (quantized values or indices)."""
    return bool(np.issubdtype(array.dtype, np.integer))
