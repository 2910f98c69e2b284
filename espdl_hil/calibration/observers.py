"""From a ``Range`` to an exponent: minmax, percentile, kl and mse.

The law of this file: exponents are powers of two, so only a handful of candidates exist; each
method compares those, and never a finer scale that would be rounded afterwards.
"""

from __future__ import annotations

import math
from enum import Enum

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from espdl_hil.calibration.ranges import BINS, Range

LOWEST_EXPONENT = -30
HIGHEST_EXPONENT = 30
"""ESP-DL forms ``1 << -exponent`` in 32 bits (esp-dl 12c0616 dl_define.hpp ``SCALE``)."""

PERCENTILE = 0.9999
"""Share of magnitudes that the percentile observer keeps within range."""

SAVING = 0.5
"""A range that saturates must bring the squared error below this share of minmax's.

Samples show too little of a distribution's end, and what saturates is what carries the signal: a
range that saves less on few samples costs more on others. A bit saves 3/4 of the rounding error.
"""

_CANDIDATES = 6
_EMPTY = 1e-12


class Observer(Enum):
    """How the exponent of an activation is chosen from its calibrated range."""

    MINMAX = "minmax"
    """Nothing seen saturates."""
    PERCENTILE = "percentile"
    """All but one magnitude in ten thousand fit."""
    KL = "kl"
    """The quantized distribution of magnitudes diverges least from the real one."""
    MSE = "mse"
    """The mean squared error of rounding and saturating is smallest, and half of minmax's."""

    @property
    def needs_histogram(self) -> bool:
        """Whether it reads more than the extremes."""
        return self is not Observer.MINMAX


DEFAULT_OBSERVER = Observer.MSE
"""Of every way to quantize: the programming interface, the command line, suite files."""


def fitting_exponent(magnitude: float, bits: int) -> int:
    """The smallest exponent at which ``magnitude`` fits, half a step of saturation allowed.

    Source: esp-ppq ``observer/range.py`` (min-max: ``2**ceil(log2(2 * amax / (2**bits - 1)))``).
    """
    if magnitude <= 0.0:
        return 1 - bits
    exponent = math.ceil(math.log2(2.0 * magnitude / (2**bits - 1)))
    return min(max(exponent, LOWEST_EXPONENT), HIGHEST_EXPONENT)


def choose_exponent(seen: Range, bits: int, observer: Observer) -> int:
    """The exponent for a value of ``bits`` whose calibrated range is ``seen``.

    Never larger than what ``minmax`` gives. With 16 bits ``kl`` is ``minmax``: steps are finer
    than any histogram, and saturating costs more than it gains.
    """
    widest = fitting_exponent(seen.magnitude, bits)
    if seen.counts is None or seen.magnitude <= 0.0:
        return widest
    match observer:
        case Observer.MINMAX:
            return widest
        case Observer.PERCENTILE:
            return min(fitting_exponent(_percentile(seen), bits), widest)
        case Observer.MSE:
            costs = [_squared_error(seen, widest - k, bits) for k in range(_CANDIDATES)]
            if min(costs) > SAVING * costs[0]:
                return widest
        case Observer.KL:
            if bits > 8:
                return widest
            costs = [_divergence(seen, widest - k, bits) for k in range(_CANDIDATES)]
        case _:
            assert_never(observer)
    best = widest - int(np.argmin(costs))
    return max(best, LOWEST_EXPONENT)


def _percentile(seen: Range) -> float:
    """The magnitude (upper edge of its bin) below which ``PERCENTILE`` of all lie."""
    assert seen.counts is not None
    below = np.cumsum(seen.counts)
    position = int(np.searchsorted(below, PERCENTILE * below[-1]))
    return min((position + 1) * 2.0**seen.limit / BINS, seen.magnitude)


def _centers(seen: Range) -> npt.NDArray[np.float64]:
    middles = np.arange(BINS, dtype=np.float64) + 0.5
    return np.asarray(middles * (2.0**seen.limit / BINS), dtype=np.float64)


def _squared_error(seen: Range, exponent: int, bits: int) -> float:
    """The summed squared error of quantizing the histogram's magnitudes with ``exponent``."""
    assert seen.counts is not None
    step = 2.0**exponent
    centers = _centers(seen)
    width = 2.0**seen.limit / BINS
    top = (2 ** (bits - 1) - 1) * step
    rounded = np.minimum(np.rint(centers / step) * step, top)
    error = np.square(centers - rounded).astype(np.float64)
    # A bin wider than a step tells nothing of rounding: take its mean error instead.
    if step < 2.0 * width:
        error[centers < top] = step * step / 12.0
    counts = seen.counts.astype(np.float64)
    if seen.lowest >= 0.0 or seen.highest <= 0.0:
        counts[0] = 0.0  # zeros of a rectified value cost nothing at any exponent
    return float(np.dot(counts, error))


def _divergence(seen: Range, exponent: int, bits: int) -> float:
    """The Kullback-Leibler divergence of the quantized magnitudes from the real ones.

    Magnitudes beyond the range gather in its last bin, as saturation does. Within a step, the
    quantized distribution is spread evenly over the bins that were hit.
    """
    assert seen.counts is not None
    counts = seen.counts.astype(np.float64)
    counts[: max(BINS // 500, 1)] = 0.0  # the heap of zeros behind a Relu says nothing of range
    per_step = exponent - (seen.limit - (BINS.bit_length() - 1))
    if per_step < 0:
        return math.inf
    group = 1 << per_step
    inside = min((2 ** (bits - 1)) * group, BINS)
    real = counts[:inside].copy()
    hit = real > 0.0
    if not hit.any():
        return math.inf
    padded = -(-inside // group) * group
    groups = np.zeros(padded)
    groups[:inside] = real
    marks = np.zeros(padded)
    marks[:inside] = hit
    total = groups.reshape(-1, group).sum(axis=1)
    spread = np.maximum(marks.reshape(-1, group).sum(axis=1), 1.0)
    quantized = (np.repeat(total / spread, group) * marks)[:inside]
    real[-1] += counts[inside:].sum()
    p = real / real.sum()
    q = quantized / quantized.sum()
    used = p > 0.0
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], _EMPTY))))
