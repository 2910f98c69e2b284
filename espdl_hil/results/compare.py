"""One value as expected against one value as computed: how equal, and where not.

The law of this file: a value is equal or not, unless a ``Rule`` says by how much it may differ; a
rule comes from the trait of the operator that computed the value. A difference is a ``Comparison``,
never an exception.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xxhash

from espdl_hil.ir.freedom import EXACT, Rule
from espdl_hil.ir.types import Array

_NAMED_COORDINATES = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one computed value differs from what was expected.

    Attributes:
        value: its name.
        equal: every element equal, or as near as the rule allows; same shape and type.
        size: number of elements expected.
        mismatches: elements further off than the rule allows; ``size`` where shape or type differ.
        allowed: elements that differ within the rule.
        max_lsb: largest difference in integer steps; for floats 0.
        max_error: largest difference: of floats in their unit, of integers in steps.
        first_indices: coordinates of the first few differing elements, in stored layout.
        first_pairs: (expected, got) at these coordinates.
        sqnr_db: signal to error ratio; infinite where equal, ``nan`` without a signal.
        note: why elements could not be compared; empty where they were.
    """

    value: str
    equal: bool
    size: int
    mismatches: int
    max_lsb: int
    max_error: float
    first_indices: tuple[tuple[int, ...], ...]
    first_pairs: tuple[tuple[float, float], ...]
    sqnr_db: float
    note: str = ""
    allowed: int = 0

    @property
    def first_index(self) -> tuple[int, ...] | None:
        """Coordinates of the first differing element, in stored layout; ``None`` where equal."""
        return self.first_indices[0] if self.first_indices else None

    def __str__(self) -> str:
        if self.note:
            return self.note
        if self.equal and self.allowed:
            largest = f"{self.max_lsb} LSB" if self.max_lsb else f"{self.max_error:.3g}"
            return f"{self.allowed} of {self.size} elements differ by up to {largest}, as allowed"
        if self.equal:
            return f"{self.size} elements equal"
        pairs = "; ".join(
            f"[{', '.join(map(str, index))}] expected {expected:g}, got {got:g}"
            for index, (expected, got) in zip(self.first_indices, self.first_pairs, strict=True)
        )
        size = f"max {self.max_lsb} LSB" if self.max_lsb else f"max error {self.max_error:.3g}"
        return f"{self.mismatches} of {self.size} elements differ, {size}; first: {pairs}"


def digest_of(array: Array) -> str:
    """The digest that a board reports for a tensor: XXH64, seed 0, of its little-endian bytes."""
    little = array.dtype.newbyteorder("<")
    return xxhash.xxh64(np.ascontiguousarray(array, dtype=little).tobytes()).hexdigest()


def compare(value: str, expected: Array, got: Array, rule: Rule = EXACT) -> Comparison:
    """Compare one value element by element, in stored layout.

    Infinities equal themselves, and a NaN equals a NaN. A differing shape or element type makes the
    whole value unequal; nothing is broadcast, cast or transposed.

    Args:
        value: its name.
        expected: the simulator's elements.
        got: the board's.
        rule: how far they may lie apart.
    """
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return Comparison(
            value=value,
            equal=False,
            size=expected.size,
            mismatches=expected.size,
            max_lsb=0,
            max_error=math.inf,
            first_indices=(),
            first_pairs=(),
            sqnr_db=-math.inf,
            note=f"expected {expected.dtype} {_shape(expected)}, got {got.dtype} {_shape(got)}",
        )
    is_float = np.issubdtype(expected.dtype, np.floating)
    wide = np.float64 if is_float else object if expected.dtype.itemsize == 8 else np.int64
    want, have = expected.astype(wide), got.astype(wide)
    if is_float:
        with np.errstate(invalid="ignore"):
            # Equal infinities differ by nan; a nan is only as good as the nan expected there.
            same = (want == have) | (np.isnan(want) & np.isnan(have))
            error = np.where(same, 0.0, np.abs(have - want))
            error = np.where(np.isnan(error), np.inf, error)
        differs = error > rule.relative * np.maximum(1.0, np.abs(np.nan_to_num(want)))
    else:
        error = np.abs(have - want)
        differs = error > rule.steps
    where = np.argwhere(differs)[:_NAMED_COORDINATES]
    indices = tuple(tuple(int(i) for i in index) for index in where)
    largest = error.max() if error.size else 0
    return Comparison(
        value=value,
        equal=not differs.any(),
        size=expected.size,
        mismatches=int(differs.sum()),
        max_lsb=0 if is_float else int(largest),
        max_error=float(largest),
        first_indices=indices,
        first_pairs=tuple((float(want[index]), float(have[index])) for index in indices),
        sqnr_db=_sqnr_db(want, have),
        allowed=int(((error != 0) & ~differs).sum()),
    )


def _sqnr_db(want: Array, have: Array) -> float:
    signal = np.asarray(want, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        noise = np.asarray(have, dtype=np.float64) - signal
    signal_power, noise_power = float(np.sum(signal**2)), float(np.sum(noise**2))
    if noise_power == 0:
        return math.inf
    if signal_power == 0 or not math.isfinite(noise_power):
        return math.nan
    return 10 * math.log10(signal_power / noise_power)


def _shape(array: Array) -> str:
    return "×".join(map(str, array.shape)) or "scalar"
