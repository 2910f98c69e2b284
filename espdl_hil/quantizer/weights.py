"""Exponents of weights and biases of multiply-accumulate operators.

The law of this file: for every output channel the shift is at least 0, the bias fits its width, and
the accumulator can hold the largest output: ``exponents`` gives up weight precision before any of
these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from espdl_hil.calibration.observers import HIGHEST_EXPONENT, LOWEST_EXPONENT, fitting_exponent
from espdl_hil.ir.types import Array
from espdl_hil.targets import MacArithmetic, Target

Exponents = npt.NDArray[np.int64]

_CANDIDATES = 3


class WeightRange(Enum):
    """How a weight's exponent is chosen from its values."""

    MINMAX = "minmax"
    """No weight saturates."""
    MSE = "mse"
    """The squared error is smallest: a lone outlier saturates where that pays."""


@dataclass(frozen=True, slots=True)
class MacSite:
    """One multiply-accumulate node as far as its exponents go.

    Attributes:
        weights: float, ONNX order.
        axis: the axis of ``weights`` that counts output channels.
        bias: one per output channel, float; ``None`` without.
        per_channel: whether each output channel may have its own exponent.
    """

    weights: Array
    axis: int
    bias: Array | None
    per_channel: bool

    def rows(self) -> npt.NDArray[np.float32]:
        """The weights as ``[channels, weights per channel]``, or ``[1, all]`` per tensor."""
        single = self.weights.astype(np.float32, copy=False)
        if not self.per_channel:
            return single.reshape(1, -1)
        return np.moveaxis(single, self.axis, 0).reshape(single.shape[self.axis], -1)

    def bias_peaks(self) -> npt.NDArray[np.float64]:
        """The largest bias magnitude of each row of ``rows``."""
        if self.bias is None:
            return np.zeros(self.rows().shape[0])
        magnitude = np.abs(self.bias.astype(np.float64)).reshape(-1)
        return magnitude if self.per_channel else magnitude.max(keepdims=True)


def weight_exponents(site: MacSite, bits: int, method: WeightRange) -> Exponents:
    """The exponents that suit the weights alone, one per row of ``site.rows()``."""
    rows = site.rows()
    peaks = np.abs(rows).max(axis=1, initial=0.0)
    widest = np.array([fitting_exponent(float(peak), bits) for peak in peaks], dtype=np.int64)
    if (peaks > 0.0).any():
        # A channel of zeros suits any exponent; it must not force one on the output.
        widest[peaks == 0.0] = widest[peaks > 0.0].min()
    if method is WeightRange.MINMAX:
        return widest
    costs = np.stack([_squared_error(rows, widest - k, bits) for k in range(_CANDIDATES)])
    chosen: Exponents = np.maximum(widest - np.argmin(costs, axis=0), LOWEST_EXPONENT)
    return chosen


def _squared_error(
    rows: npt.NDArray[np.float32], exponents: Exponents, bits: int
) -> npt.NDArray[np.float32]:
    scaled = np.ldexp(rows, -exponents[:, None].astype(np.int32))
    top = 2 ** (bits - 1)
    scaled -= np.clip(np.rint(scaled), -top, top - 1)
    errors: npt.NDArray[np.float32] = np.einsum("ij,ij->i", scaled, scaled)
    return np.ldexp(errors, (2 * exponents).astype(np.int32))


def longest_shift(arithmetic: MacArithmetic, bits: int) -> int:
    """The largest shift at which the accumulators still hold a full-scale output."""
    narrowest = min(arithmetic.lane.bits, arithmetic.tail.bits)
    return min(narrowest - bits, arithmetic.largest_shift)


def limited_exponents(
    site: MacSite,
    wanted: Exponents,
    shift_base: int,
    input_exponent: int,
    bits: int,
    target: Target,
) -> Exponents:
    """``wanted`` moved to where the target computes right.

    Args:
        site: the node.
        wanted: from ``weight_exponents``.
        shift_base: output exponent minus input exponent; the shift is this minus the weight's.
        input_exponent: exponent of the activations.
        bits: of activations and weights.
        target: gives the widths of bias and accumulators.
    """
    arithmetic = target.mac[bits]
    lowest = np.full(wanted.shape, shift_base - longest_shift(arithmetic, bits), dtype=np.int64)
    peaks = site.bias_peaks()
    # The exponent of the product at which the bias is just below 2**(bias_bits - 1).
    fits = np.frexp(peaks)[1].astype(np.int64) - (arithmetic.bias_bits - 1)
    lowest = np.where(peaks > 0.0, np.maximum(lowest, fits - input_exponent), lowest)
    limited = np.minimum(np.maximum(wanted, lowest), shift_base)
    return np.clip(limited, LOWEST_EXPONENT, HIGHEST_EXPONENT)
