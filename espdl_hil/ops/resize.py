"""Resize: nearest or linear, in one or two dimensions, int8 only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError, UnsupportedAttributeError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, round_float, saturate, scale_of, shift_round, wrap
from espdl_hil.ops._plain import optional, required
from espdl_hil.ops._window import as_image, like_input

_MODES = ("nearest", "linear")
_VECTOR = 16  # channels of one vector; the nearest kernels need that many, but for 2x2
_LARGEST_LEFT = 6  # the vector kernels hold 2**n as one signed byte

Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Resize(Operator):
    """A resized image; scales (input 2) and sizes (input 3) stay in ONNX's NCHW order.

    Attributes:
        mode: ``"nearest"`` or ``"linear"``.
        coordinate_transformation_mode: the board knows asymmetric for nearest; align_corners, or
            else half_pixel, for linear.
        nearest_mode: the board rounds coordinates down.
    """

    op_type: ClassVar[str] = "Resize"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.CHANNELS_LAST, ExponentRule.ALIGNED, index_inputs=(1, 2, 3)
    )

    mode: str
    coordinate_transformation_mode: str
    nearest_mode: str

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Resize:
        """Parse."""
        mode = attributes.text("mode", "nearest")
        if mode not in _MODES:
            raise attributes.unsupported("mode", mode, "nearest or linear")
        return cls(
            mode=mode,
            coordinate_transformation_mode=attributes.text(
                "coordinate_transformation_mode", "half_pixel"
            ),
            nearest_mode=attributes.text("nearest_mode", "round_prefer_floor"),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "coordinate_transformation_mode": Attribute.of(self.coordinate_transformation_mode),
            "mode": Attribute.of(self.mode),
            "nearest_mode": Attribute.of(self.nearest_mode),
        }

    def check(self, site: LoweringSite) -> None:
        """Refuse what the board computes otherwise than ONNX, or not at all."""
        x, y = site.inputs[0], site.outputs[0]
        assert x is not None
        if site.bits != 8:
            raise ModelError("Resize in int16: ESP-DL's kernel is empty")
        ratios = [n / m for n, m in zip(y.shape[2:], x.shape[2:], strict=True)]
        whole = all(ratio == int(ratio) for ratio in ratios)
        mode = self.coordinate_transformation_mode
        if self.mode == "nearest":
            # Rounding down equals every other rule only where each element is repeated.
            plain = mode == "asymmetric" and self.nearest_mode == "floor"
            if not plain and not (whole and mode in ("asymmetric", "half_pixel")):
                raise UnsupportedAttributeError(
                    "coordinate_transformation_mode",
                    f"{mode}, {self.nearest_mode}",
                    "asymmetric with floor, or whole scales",
                )
            if site.target.vector and x.shape[1] < _VECTOR and ratios != [2.0, 2.0]:
                raise ModelError(
                    f"nearest Resize of {x.shape[1]} channels by {ratios}: the vector kernel of "
                    f"{site.target.name} reads registers it never loaded",
                    hint="use 16 or more channels, or scale both axes by 2",
                )
        elif mode not in ("half_pixel", "align_corners", "pytorch_half_pixel"):
            raise UnsupportedAttributeError(
                "coordinate_transformation_mode", mode, "half_pixel or align_corners"
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Sizes of all axes, in ONNX order as the board indexes them."""
        sizes = np.array(site.outputs[0].shape, dtype=np.int64)
        tensor = Tensor.of(f"{site.node}/sizes", sizes)
        return LoweredOperator(self.op_type, self.to_attributes(), {1: None, 2: None, 3: tensor})

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Pick or blend. Source: esp-dl 12c0616 dl_base_resize.cpp."""
        x, output = required(inputs, 0), outputs[0]
        if x.array.dtype != np.int8:
            raise ModelError(
                f"Resize of {x.array.dtype}: ESP-DL's int16 kernel is empty and float has none",
                hint="keep Resize in int8",
            )
        image = as_image(x.array)
        sizes, scales = _target_size(image.shape, inputs, x.array.ndim)
        if self.mode == "linear":
            result = self._linear(image, sizes, scales, x, output, at)
        else:
            if at.target.vector and image.shape[2] < _VECTOR and scales != (2.0, 2.0):
                raise ModelError(
                    f"nearest Resize of {image.shape[2]} channels by {scales}: the vector kernel "
                    f"of {at.target.name} reads registers it never loaded",
                    hint="use at least 16 channels, or a scale of exactly 2 in both dimensions",
                )
            rows = _nearest(sizes[0], image.shape[0], scales[0])
            columns = _nearest(sizes[1], image.shape[1], scales[1])
            result = _rescaled(image[rows][:, columns], x, output, at)
        return (like_input(result, x.array.ndim),)

    def _linear(
        self,
        image: Array,
        sizes: tuple[int, int],
        scales: tuple[float, float],
        x: Operand,
        output: ValueInfo,
        at: Execution,
    ) -> Array:
        """Blend columns first, then rows, in float32."""
        corners = self.coordinate_transformation_mode == "align_corners"
        real = image.astype(np.float32) * scale_of(x.exponent)
        left, right = _blend(sizes[1], image.shape[1], scales[1], corners)
        blended = real[:, left[0]] * left[1][:, None] + real[:, right[0]] * right[1][:, None]
        if x.array.ndim == 4:
            top, bottom = _blend(sizes[0], image.shape[0], scales[0], corners)
            weights = top[1][:, None, None], bottom[1][:, None, None]
            blended = blended[top[0]] * weights[0] + blended[bottom[0]] * weights[1]
        scaled = blended * scale_of(-output.exponent)
        return quantize(scaled, output.dtype.numpy, at.target.rounding)


def _target_size(
    shape: tuple[int, ...], inputs: Sequence[Operand | None], rank: int
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Height and width of the output, and the float32 scales that the kernel uses."""
    given, wanted = optional(inputs, 2), optional(inputs, 3)
    source = wanted if wanted is not None else given
    if source is None or source.array.size != rank:
        raise ModelError(f"Resize needs scales or sizes for all {rank} axes")
    numbers = source.array.ravel()[2:]
    spatial = shape[:2] if rank == 4 else shape[1:2]
    if wanted is not None:
        sizes = [int(n) for n in numbers]
        scales = [np.float32(n) / np.float32(m) for n, m in zip(sizes, spatial, strict=True)]
    else:
        scales = [np.float32(n) for n in numbers]
        sizes = [int(np.float32(m) * s) for m, s in zip(spatial, scales, strict=True)]
    if min(sizes) < 1:
        raise ModelError(f"Resize to {sizes}")
    if rank == 3:
        return (1, sizes[0]), (1.0, float(scales[0]))
    return (sizes[0], sizes[1]), (float(scales[0]), float(scales[1]))


def _nearest(length: int, available: int, scale: float) -> npt.NDArray[np.int64]:
    """Source positions, rounded down."""
    inverse = np.float32(1) / np.float32(scale)
    positions = (np.arange(length).astype(np.float32) * inverse).astype(np.int64)
    return np.minimum(positions, available - 1)


def _rescaled(values: Array, x: Operand, output: ValueInfo, at: Execution) -> Array:
    """Picked integers at the output's exponent: vector kernels saturate, C wraps."""
    shift = output.exponent - x.exponent
    if shift == 0:
        return values
    if at.target.vector:
        if shift < -_LARGEST_LEFT:
            raise ModelError(f"the output's exponent is smaller by {-shift}: right up to 6")
        if shift > 0 and not at.target.resize_rounds:
            raise ModelError(
                f"the output's exponent is larger by {shift}: the vector kernel of "
                f"{at.target.name} rounds as the kernel before it did",
                hint="give input and output one exponent",
            )
        return saturate(shift_round(values.astype(np.int64), shift, at.target.rounding), np.int8)
    scaled = values.astype(np.float32) * scale_of(-shift)
    whole = round_float(scaled, at.target.rounding).astype(np.int64)
    return wrap(whole, 8).astype(np.int8)


def _blend(
    length: int, available: int, scale: float, corners: bool
) -> tuple[tuple[Array, Float32s], tuple[Array, Float32s]]:
    """Both neighbours of each output position: where they lie, and their weights."""
    if available < 2:
        raise ModelError(
            "linear Resize of a single row or column: ESP-DL reads before the tensor",
            hint="use mode nearest",
        )
    factor = np.float32(scale)
    if corners and length < 2:
        raise ModelError(
            "align_corners to a single row or column: ESP-DL divides by zero",
            hint="use half_pixel, or slice the first pixel",
        )
    if corners:
        factor = np.float32(length - 1) / np.float32(available - 1)
    inverse = np.float32(1) / factor
    steps = np.arange(length).astype(np.float32)
    half = np.float32(0 if corners else 0.5)
    position = (steps + half) * inverse - half
    whole = np.floor(position).astype(np.int64)
    fraction = position - whole.astype(np.float32)
    low = whole < 0
    whole, fraction = np.where(low, 0, whole), np.where(low, np.float32(0), fraction)
    high = whole >= available - 1
    whole = np.where(high, available - 2, whole)
    fraction = np.where(high, np.float32(1), fraction).astype(np.float32)
    return (whole, np.float32(1) - fraction), (whole + 1, fraction)
