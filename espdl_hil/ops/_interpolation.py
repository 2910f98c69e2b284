"""Interpolation along one axis as a matrix: ONNX's Resize in the modes linear and cubic.

The law of this file: a row holds what ONNX's specification weighs the input with, in double.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import UnsupportedAttributeError

Doubles = npt.NDArray[np.float64]

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)
"""The coordinate transformations that a matrix can hold."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """How to interpolate along an axis.

    Attributes:
        mode: ``"linear"`` or ``"cubic"``.
        coordinates: one of ``COORDINATES``.
        cubic_coeff_a: the cubic kernel's parameter.
        exclude_outside: whether taps outside count as nothing, instead of as the border.
    """

    mode: str
    coordinates: str
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False

    def matrix(self, outputs: int, inputs: int, scale: float) -> Doubles:
        """The weights ``[outputs, inputs]`` of each input in each output."""
        position = self._positions(outputs, inputs, scale)
        whole = np.floor(position)
        fraction = position - whole
        if self.mode == "linear":
            taps = [(0, 1.0 - fraction), (1, fraction)]
        else:
            taps = [(tap, self._cubic(np.abs(tap - fraction))) for tap in (-1, 0, 1, 2)]
        result = np.zeros((outputs, inputs))
        rows = np.arange(outputs)
        for tap, weight in taps:
            place = whole.astype(np.int64) + tap
            if self.exclude_outside:
                weight = np.where((place < 0) | (place >= inputs), 0.0, weight)
            np.add.at(result, (rows, np.clip(place, 0, inputs - 1)), weight)
        if self.exclude_outside:
            result /= result.sum(axis=1, keepdims=True)
        return result

    def _positions(self, outputs: int, inputs: int, scale: float) -> Doubles:
        """Where each output lies, in inputs."""
        steps = np.arange(outputs).astype(np.float64)
        match self.coordinates:
            case "asymmetric":
                return steps / scale
            case "align_corners":
                return steps * (inputs - 1) / max(outputs - 1, 1)
            case "pytorch_half_pixel" if outputs == 1:
                return np.zeros(1)
            case "half_pixel" | "pytorch_half_pixel":
                return (steps + 0.5) / scale - 0.5
            case "half_pixel_symmetric":
                offset = inputs / 2 * (1.0 - outputs / (scale * inputs))
                return offset + (steps + 0.5) / scale - 0.5
            case other:
                raise UnsupportedAttributeError(
                    "coordinate_transformation_mode", other, ", ".join(COORDINATES)
                )

    def _cubic(self, distance: Doubles) -> Doubles:
        """Keys' kernel."""
        a, d = self.cubic_coeff_a, distance
        near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
        far = ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
        return np.where(d <= 1.0, near, np.where(d < 2.0, far, 0.0))
