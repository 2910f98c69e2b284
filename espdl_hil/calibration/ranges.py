"""What calibration has seen of a value: extremes, and a histogram that grows by doubling.

The law of this file: more samples never shrink a range, and the order of samples changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.types import Array

BINS = 8192
"""Bins of a histogram: enough for 64 bins in each of the 128 steps of int8."""

LOWEST_LIMIT = -64
"""Magnitudes far below every exponent share one bin: their scale would leave float32."""

Counts: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Range:
    """The values seen at one place.

    Attributes:
        lowest: smallest value.
        highest: largest value.
        counts: how many magnitudes lie in each of ``BINS`` equal bins of ``[0, 2**limit)``;
            ``None`` where only the extremes were asked for.
        limit: see ``counts``.
    """

    lowest: float
    highest: float
    counts: Counts | None = None
    limit: int = 0

    @property
    def magnitude(self) -> float:
        """The largest absolute value."""
        return max(abs(self.lowest), abs(self.highest))


Ranges: TypeAlias = Mapping[str, Range]


class RangeRecorder:
    """Collects the ``Range`` of one value, sample by sample."""

    def __init__(self, *, histogram: bool) -> None:
        self._lowest = np.inf
        self._highest = -np.inf
        self._histogram = histogram
        self._counts: Counts = np.zeros(BINS, dtype=np.int64)
        self._limit: int | None = None

    def add(self, array: Array) -> None:
        """Take in one sample's values; NaN or infinity raise ``ModelError``."""
        flat = array.reshape(-1)
        lowest, highest = float(flat.min()), float(flat.max())
        if not np.isfinite(lowest) or not np.isfinite(highest):
            raise ModelError("the float model computes NaN or infinity")
        self._lowest = min(self._lowest, lowest)
        self._highest = max(self._highest, highest)
        if self._histogram:
            self._count(flat, max(abs(lowest), abs(highest)))

    def _count(self, flat: Array, magnitude: float) -> None:
        # frexp gives the smallest power of two above the magnitude, itself excluded.
        limit = max(int(np.frexp(magnitude)[1]), LOWEST_LIMIT) if magnitude else None
        if limit is not None and (self._limit is None or limit > self._limit):
            self._grow(limit)
        if self._limit is None:
            self._counts[0] += flat.size
            return
        scaled = np.abs(flat)
        np.multiply(scaled, np.float32(2.0 ** (BINS.bit_length() - 1 - self._limit)), out=scaled)
        self._counts += np.bincount(scaled.astype(np.intp), minlength=BINS)

    def _grow(self, limit: int) -> None:
        """Widen the bins to cover ``[0, 2**limit)``: neighbours merge, nothing is lost."""
        if self._limit is not None:
            merged = min(1 << min(limit - self._limit, BINS.bit_length()), BINS)
            sums = self._counts.reshape(-1, merged).sum(axis=1)
            self._counts = np.zeros(BINS, dtype=np.int64)
            self._counts[: sums.size] = sums
        self._limit = limit

    def result(self) -> Range:
        """What was seen so far; ``ModelError`` before the first sample."""
        if self._lowest > self._highest:
            raise ModelError("no sample was observed")
        counts = self._counts.copy() if self._histogram else None
        return Range(self._lowest, self._highest, counts, self._limit or 0)
