"""Multiply-accumulate layers, fast where that is provably exact, one addition at a time elsewhere.

The law of this file: every result is the integer that the target's accumulator gives. A layer is
summed by BLAS in a float type in which all its partial sums are whole numbers without rounding.
Where an accumulator saturates, a bound on the partial sums clears most outputs; those that it does
not clear are looked at in the order of the kernel, and those that leave the width are replayed.

Source: esp-dl 12c0616 ``dl_base_conv2d.cpp``, ``dl_base_depthwise_conv2d.cpp`` and the vector
kernels beside them (order y, x, c; bias first; shift, saturate, ReLU last).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.types import Floats, Ints
from espdl_hil.numerics.rounding import saturate, shift_round, wrap
from espdl_hil.targets import Accumulator, MacArithmetic, Overflow, Rounding

Int64s = npt.NDArray[np.int64]

_EXACT = {np.dtype(np.float32): 1 << 23, np.dtype(np.float64): 1 << 52}
"""Below this magnitude a sum is exact, and still so with the half that rounding adds."""

_HUGE = 1 << 61
"""Sums of this size are treated like larger ones, so that bounds themselves fit 64 bits."""

_FEW_ROWS = 4
"""Up to here the exact bound of each output costs no more than one for all rows together."""

_REPLAY_ELEMENTS = 1 << 21
"""Products looked at in one go; bounds the memory of the check."""


Watcher = Callable[[Floats, Floats, Int64s], None]
"""Told the sums of products ``[P, N]``, the sums of their magnitudes, and the output channel of
every accumulator that saturated on the way."""


@dataclass(frozen=True, slots=True)
class MacParameters:
    """One layer as its file stores it, with the filter unpacked.

    Attributes:
        taps: weights ``[T, N]``, T in the kernel's order (y, x, then input channel if dense).
        bias: one integer per output channel, in units of the accumulator.
        shifts: bits to shift right, one per output channel.
        channels: input channels per position (y, x); 1 for depthwise.
        arithmetic: accumulators of the target at this integer width.
        rounding: of the final shift.
        relu: whether negative results become 0.
    """

    taps: Ints
    bias: Int64s
    shifts: Int64s
    channels: int
    arithmetic: MacArithmetic
    rounding: Rounding
    relu: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """The integer type of weights, inputs and outputs."""
        return self.taps.dtype


class Mac:
    """What dense and depthwise layers share: bounds, the choice of type, and the last steps.

    Attributes:
        parameters: the layer.
        accumulators: output channels, the accumulator that sums them, and how many products of
            one position it adds at a time.
        bias: as the accumulators load it.
        watcher: told of every run, see ``Watcher``; set it to look into a layer.
        missing_bits: how much wider an accumulator would have had to be, in bits, to hold every
            sum so far; 0 where none left it. Set it to 0 to begin anew.
    """

    def __init__(self, parameters: MacParameters, tail_from: int) -> None:
        """Work out once what does not depend on the input.

        Args:
            parameters: the layer.
            tail_from: the first output channel that a tail accumulator sums.
        """
        arithmetic = parameters.arithmetic
        channels = parameters.taps.shape[1]
        self.parameters = parameters
        self.accumulators = [
            (slice(0, tail_from), arithmetic.lane, 1),
            (slice(tail_from, channels), arithmetic.tail, arithmetic.filter_block),
        ]
        # A bias that does not fit is loaded with its high bits cut off.
        self.bias = parameters.bias.copy()
        for part, accumulator, _ in self.accumulators:
            self.bias[part] = wrap(self.bias[part], accumulator.bits)
        self._reach = np.abs(parameters.taps.astype(np.int64)).sum(axis=0)
        # ~b is -b - 1: unlike -b it exists for the most negative integer.
        start = np.minimum(np.maximum(self.bias, ~self.bias), _HUGE) + 1
        self._start: Int64s = start
        wrapping = [a.bits for _, a, _ in self.accumulators if a.overflow is Overflow.WRAP]
        self._wraps_from = 1 << (min(wrapping, default=64) - 1)
        self._weights: dict[tuple[np.dtype[Any], bool], Floats] = {}
        self._risks: tuple[int, list[tuple[Int64s, Accumulator, int]]] = (-1, [])
        self.watcher: Watcher | None = None
        self.missing_bits = 0

    def type_for(self, peak: int) -> np.dtype[Any]:
        """The float type in which this layer is exact for inputs up to ``peak`` in magnitude."""
        single, double = np.dtype(np.float32), np.dtype(np.float64)
        if self._largest(peak) < _EXACT[single]:
            return single
        # A large bias does not matter here: ``_finish`` then adds it to the sums as integers.
        if int(self._reach.max(initial=0)) * peak >= _EXACT[double]:
            raise ModelError(f"{self.parameters.taps.shape[0]} products per output are too many")
        return double

    def _largest(self, peak: int) -> int:
        """A bound on the magnitude of every partial sum, bias included."""
        return int((self._reach * peak + self._start).max(initial=0))

    def _matrix(self, dtype: np.dtype[Any], magnitude: bool = False) -> Floats:
        """The taps, or their magnitudes, in a float type; kept once made."""
        key = (dtype, magnitude)
        if key not in self._weights:
            taps = self.parameters.taps.astype(dtype)
            self._weights[key] = np.abs(taps) if magnitude else taps
        return self._weights[key]

    def _risky(self, peak: int) -> list[tuple[Int64s, Accumulator, int]]:
        """Channels whose saturating accumulator may overflow, with that accumulator and its step.

        The step is how many products of one position are summed before the accumulator adds them.
        """
        if self._risks[0] != peak:
            found = []
            for part, accumulator, step in self.accumulators:
                if accumulator.overflow is not Overflow.SATURATE:
                    continue
                limit = min(1 << (accumulator.bits - 1), _HUGE)
                risky = np.flatnonzero(self._reach[part] * peak + self._start[part] >= limit)
                if risky.size:
                    found.append((risky + part.start, accumulator, step))
            self._risks = (peak, found)
        return self._risks[1]

    def _finish(self, sums: Floats, peak: int, fixes: list[_Fix]) -> Ints:
        """Bias, shift, saturate and rectify; ``sums [P, N]`` is consumed."""
        parameters = self.parameters
        if not fixes and self._largest(peak) < min(_EXACT[sums.dtype], self._wraps_from):
            return self._finish_in_float(sums)
        acc = sums.astype(np.int64)
        acc += self.bias
        for part, accumulator, _ in self.accumulators:
            if accumulator.overflow is Overflow.WRAP:
                self._note(acc[:, part], accumulator)
                acc[:, part] = wrap(acc[:, part], accumulator.bits)
        for fix in fixes:
            acc[fix.rows, fix.columns] = fix.values
        result = saturate(shift_round(acc, parameters.shifts, parameters.rounding), self.dtype)
        return np.maximum(result, 0) if parameters.relu else result

    def _finish_in_float(self, acc: Floats) -> Ints:
        """The same steps on floats that hold whole numbers below ``_EXACT``."""
        parameters = self.parameters
        kind = acc.dtype.type
        shifts = parameters.shifts
        scales = np.ldexp(kind(1.0), -shifts if np.ptp(shifts) else -shifts[:1]).astype(acc.dtype)
        acc += self.bias.astype(acc.dtype)
        acc *= scales
        if parameters.rounding is Rounding.HALF_UP:
            acc += kind(0.5)
            np.floor(acc, out=acc)
        else:
            np.rint(acc, out=acc)
        limits = np.iinfo(self.dtype)
        np.clip(acc, 0 if parameters.relu else limits.min, limits.max, out=acc)
        return acc.astype(self.dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The integer type of weights, inputs and outputs."""
        return self.parameters.dtype

    def _replayed(
        self,
        rows: Int64s,
        columns: Int64s,
        accumulator: Accumulator,
        step: int,
        products: Callable[[Int64s, Int64s], Ints],
    ) -> list[_Fix]:
        """Replay the outputs at ``(rows, columns)`` that truly leave the accumulator."""
        fixes = []
        inner = self.parameters.taps.shape[0]
        size = max(1, _REPLAY_ELEMENTS // max(1, inner))
        for at in range(0, len(rows), size):
            r, c = rows[at : at + size], columns[at : at + size]
            terms = _stepped(products(r, c), self.parameters.channels, step)
            left, values = saturating_sums(self.bias[c], terms, accumulator.bits)
            if left.any():
                fixes.append(_Fix(r[left], c[left], values))
                partial = np.cumsum(terms[left], axis=1, dtype=np.float64)
                self._note(partial + self.bias[c[left], None], accumulator)
        return fixes

    def _note(self, sums: npt.NDArray[Any], accumulator: Accumulator) -> None:
        """Keep in mind how far sums are beyond the width of their accumulator."""
        largest = max(float(sums.max(initial=0)), -float(sums.min(initial=0)) - 1)
        self.missing_bits = max(self.missing_bits, math.frexp(largest)[1] - (accumulator.bits - 1))


@dataclass(frozen=True, slots=True)
class _Fix:
    """Accumulators that saturated: where, and what they hold at the end."""

    rows: Int64s
    columns: Int64s
    values: Int64s


def _columns(fixes: list[_Fix]) -> Int64s:
    """The output channels of accumulators that saturated, one entry each."""
    nothing: Int64s = np.zeros(0, dtype=np.int64)
    return np.concatenate([nothing, *(fix.columns for fix in fixes)])


class DenseMac(Mac):
    """A convolution without groups, a Gemm or a MatMul, on patches that hold its inputs."""

    def __init__(self, parameters: MacParameters) -> None:
        """Prepare the layer; channels beyond the last whole block use the tail accumulator."""
        channels, block = parameters.taps.shape[1], parameters.arithmetic.filter_block
        super().__init__(parameters, channels - channels % block)

    def run(self, patches: Floats, peak: int) -> Ints:
        """Outputs ``[P, N]`` of ``patches [P, T]``.

        Args:
            patches: inputs in the order of the taps, padding as 0, of the type that
                ``type_for(peak)`` gives.
            peak: a bound on the magnitude of the inputs.
        """
        sums = patches @ self._matrix(patches.dtype)
        fixes: list[_Fix] = []
        for columns, accumulator, step in self._risky(peak):
            fixes += self._saturated(patches, sums, columns, accumulator, step)
        if self.watcher is not None:
            magnitudes = np.abs(patches) @ self._matrix(patches.dtype, magnitude=True)
            self.watcher(sums, magnitudes, _columns(fixes))
        return self._finish(sums, peak, fixes)

    def _saturated(
        self, patches: Floats, sums: Floats, columns: Int64s, accumulator: Accumulator, step: int
    ) -> list[_Fix]:
        if len(patches) > _FEW_ROWS:
            columns = self._reachable(patches, columns, accumulator)
        if not columns.size:
            return []
        magnitudes = self._product(np.abs(patches), columns, magnitude=True)
        rows, within = _may_leave(sums[:, columns], magnitudes, self.bias[columns], accumulator)
        taps = self.parameters.taps

        def products(r: Int64s, c: Int64s) -> Ints:
            left: Ints = patches[r].astype(np.int64)
            return left * taps[:, c].T

        return self._replayed(rows, columns[within], accumulator, step, products)

    def _reachable(self, patches: Floats, columns: Int64s, accumulator: Accumulator) -> Int64s:
        """Those of ``columns`` that may overflow, given the range of what meets each tap.

        With the inputs of a tap in ``[low, high]``, 0 included, what its product can add at most is
        half of ``(high + low) * w + (high - low) * |w|``; what it can take away, half of their
        difference. Two products with a vector instead of one with the matrix.
        """
        high, low = patches.max(axis=0), patches.min(axis=0)
        np.maximum(high, 0, out=high)
        np.minimum(low, 0, out=low)
        middle = self._product(high + low, columns).astype(np.float64)
        spread = self._product(high - low, columns, magnitude=True).astype(np.float64)
        start = self.bias[columns].astype(np.float64)
        limit = float(1 << (accumulator.bits - 1))
        slack = limit * 2.0**-50  # as in ``_may_leave``
        above = start + (middle + spread) / 2 > limit - 1 - slack
        below = start + (middle - spread) / 2 < -limit + slack
        reachable: Int64s = columns[above | below]
        return reachable

    def _product(self, left: Floats, columns: Int64s, *, magnitude: bool = False) -> Floats:
        """``left`` times those columns of the taps; a copy of most of them costs more than all."""
        matrix = self._matrix(left.dtype, magnitude)
        if 2 * columns.size > matrix.shape[1]:
            return np.take(left @ matrix, columns, axis=-1)
        return left @ matrix[:, columns]


class DepthwiseMac(Mac):
    """A depthwise convolution: every channel is summed in a lane."""

    def __init__(self, parameters: MacParameters) -> None:
        """Prepare the layer."""
        super().__init__(parameters, parameters.taps.shape[1])

    def run(self, taps_of: Callable[[int], Floats], peak: int) -> Ints:
        """Outputs of shape ``[..., N]``.

        Args:
            taps_of: the inputs that meet tap ``t``, ``[..., N]``, of the type that
                ``type_for(peak)`` gives; padding as 0.
            peak: a bound on the magnitude of the inputs.
        """
        first = taps_of(0)
        weights = self._matrix(first.dtype)
        sums = first * weights[0]
        product = np.empty_like(sums)
        for t in range(1, len(weights)):
            np.multiply(taps_of(t), weights[t], out=product)
            sums += product
        flat = sums.reshape(-1, sums.shape[-1])
        fixes: list[_Fix] = []
        for columns, accumulator, step in self._risky(peak):
            fixes += self._saturated(taps_of, flat, columns, accumulator, step)
        if self.watcher is not None:
            terms = (np.abs(taps_of(t) * weights[t]) for t in range(len(weights)))
            magnitudes = sum(terms, start=np.zeros_like(sums)).reshape(flat.shape)
            self.watcher(flat, magnitudes, _columns(fixes))
        return self._finish(flat, peak, fixes).reshape(sums.shape)

    def _saturated(
        self,
        taps_of: Callable[[int], Floats],
        sums: Floats,
        columns: Int64s,
        accumulator: Accumulator,
        step: int,
    ) -> list[_Fix]:
        taps = self.parameters.taps
        inputs = np.stack(
            [taps_of(t)[..., columns].reshape(-1, len(columns)) for t in range(len(taps))]
        )
        magnitudes = np.zeros_like(inputs[0])
        for t, weights in enumerate(np.abs(taps[:, columns].astype(np.int64))):
            magnitudes += np.abs(inputs[t]) * weights.astype(inputs.dtype)
        rows, within = _may_leave(sums[:, columns], magnitudes, self.bias[columns], accumulator)
        position = np.zeros(taps.shape[1], dtype=np.int64)
        position[columns] = np.arange(len(columns))

        def products(r: Int64s, c: Int64s) -> Ints:
            left: Ints = inputs[:, r, position[c]].T.astype(np.int64)
            return left * taps[:, c].T

        return self._replayed(rows, columns[within], accumulator, step, products)


def _may_leave(
    sums: Floats, magnitudes: Floats, bias: Int64s, accumulator: Accumulator
) -> tuple[Int64s, Int64s]:
    """Rows and columns of the outputs whose partial sums might leave the accumulator.

    With S the sum of products and A the sum of their magnitudes, the positive products sum to
    (A + S) / 2 and the negative ones to (S - A) / 2; every partial sum lies between the bias plus
    one and the bias plus the other.
    """
    limit = float(1 << (accumulator.bits - 1))
    # One step of slack: in 64 bits bias and limit are not whole in double precision.
    slack = limit * 2.0**-50
    start = bias.astype(np.float64)
    high = start + (magnitudes + sums) / 2
    low = start + (sums - magnitudes) / 2
    rows, columns = np.nonzero((high > limit - 1 - slack) | (low < -limit + slack))
    return rows, columns


def _stepped(products: Ints, channels: int, step: int) -> Ints:
    """Sum neighbouring products that reach the accumulator in one addition.

    Args:
        products: ``[n, T]``, T in the order y, x, input channel.
        channels: input channels per position.
        step: products per addition; a position's last addition may have fewer.
    """
    if step == 1 or channels == 1:
        return products
    positions = products.shape[1] // channels
    starts = np.add.outer(np.arange(positions) * channels, np.arange(0, channels, step)).ravel()
    return np.add.reduceat(products, starts, axis=1)


def saturating_sums(start: Int64s, terms: Ints, bits: int) -> tuple[npt.NDArray[np.bool_], Int64s]:
    """Add ``terms [n, K]`` one after the other to ``start [n]`` in a saturating register.

    Returns:
        Which of the n sums leave the register at some point, and the final content of those.
    """
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    kind: npt.DTypeLike = object if bits > 62 else np.int64
    wide = terms.astype(kind)
    partial = np.add.accumulate(np.concatenate([start.astype(kind)[:, None], wide], axis=1), axis=1)
    left = np.asarray((partial.max(axis=1) > high) | (partial.min(axis=1) < low), dtype=np.bool_)
    acc = start[left].astype(kind)
    for term in wide[left].T:
        acc = np.clip(acc + term, low, high)
    return left, acc.astype(np.int64)
