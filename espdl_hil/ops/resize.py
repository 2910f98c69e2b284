"""Resize: nearest or linear, in one or two dimensions, int8 only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError, UnsupportedAttributeError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import QUANTIZED, undecided
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Declared,
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Move,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, round_float, saturate, scale_of, shift_round, wrap
from espdl_hil.ops._plain import optional, required
from espdl_hil.ops._window import as_image, like_input
from espdl_hil.ops.gather import Gather
from espdl_hil.targets import Freedom

_MODES = ("nearest", "linear")
_IMPORTED_MODES = (*_MODES, "cubic")
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
        cubic_coeff_a: of mode ``"cubic"``, which a model may have and the board has not.
        exclude_outside: the same.
    """

    op_type: ClassVar[str] = "Resize"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.CHANNELS_LAST,
        ExponentRule.ALIGNED,
        index_inputs=(1, 2, 3),
        undecided=undecided(
            "positions and two blends in float32",
            Freedom.CONTRACTION,
            Freedom.ESTIMATE,
            dtypes=QUANTIZED,
            source="dl_base_resize.cpp resize_linear",
        ),
    )

    mode: str
    coordinate_transformation_mode: str
    nearest_mode: str
    cubic_coeff_a: float = field(default=-0.75, kw_only=True)
    exclude_outside: int = field(default=0, kw_only=True)

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Resize:
        """Parse."""
        mode = attributes.text("mode", "nearest")
        # Only files have no opset.
        known = _MODES if attributes.opset is None else _IMPORTED_MODES
        if mode not in known:
            raise attributes.unsupported("mode", mode, ", ".join(known))
        if attributes.integer("antialias", 0):
            raise attributes.unsupported("antialias", 1, "0")
        policy = attributes.text("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            raise attributes.unsupported("keep_aspect_ratio_policy", policy, "stretch")
        return cls(
            mode=mode,
            coordinate_transformation_mode=attributes.text(
                "coordinate_transformation_mode", "half_pixel"
            ),
            nearest_mode=attributes.text("nearest_mode", "round_prefer_floor"),
            cubic_coeff_a=attributes.number("cubic_coeff_a", -0.75),
            exclude_outside=attributes.integer("exclude_outside", 0),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes that the mode has."""
        cubic: dict[str, Attribute] = {}
        if self.mode not in _MODES:
            cubic = {
                "cubic_coeff_a": Attribute.of(self.cubic_coeff_a),
                "exclude_outside": Attribute.of(self.exclude_outside),
            }
        return {
            **cubic,
            "coordinate_transformation_mode": Attribute.of(self.coordinate_transformation_mode),
            "mode": Attribute.of(self.mode),
            "nearest_mode": Attribute.of(self.nearest_mode),
        }

    def has_kernel(self, bits: int, given: tuple[int, ...], result: tuple[int, ...]) -> bool:
        """Whether ESP-DL interpolates shape ``given`` to ``result`` (ONNX order) as ONNX means."""
        mode = self.coordinate_transformation_mode
        if self.mode != "linear" or bits != 8 or min(given[2:]) < 2:
            return False
        if mode == "half_pixel":
            return True
        # With a single output, these two take the first input, the board something else.
        return mode in ("align_corners", "pytorch_half_pixel") and min(result[2:]) > 1

    def check(self, site: LoweringSite) -> None:
        """Refuse what the board computes otherwise than ONNX, or not at all."""
        x, y = site.inputs[0], site.outputs[0]
        assert x is not None
        if x.shape[:2] != y.shape[:2]:
            raise ModelError(
                "Resize of batch or channels", hint="only height and width are resized"
            )
        mode = self.coordinate_transformation_mode
        if self.mode == "nearest":
            _onnx_positions(self, site)
            return
        if site.bits != 8 or self.mode not in _MODES:
            raise ModelError(
                f"{self.mode} Resize in int{site.bits}: ESP-DL has no kernel for it",
                hint="quantize with 8 bits, use mode nearest, or a ConvTranspose",
            )
        allowed = ("half_pixel", "align_corners", "pytorch_half_pixel")
        if mode not in allowed or (mode == "pytorch_half_pixel" and 1 in y.shape[2:]):
            raise UnsupportedAttributeError(
                "coordinate_transformation_mode", mode, "half_pixel or align_corners"
            )
        if min(x.shape[2:]) < 2 or (mode == "align_corners" and min(y.shape[2:]) < 2):
            raise ModelError(
                "linear Resize of or to a single row or column: ESP-DL reads before the tensor",
                hint="use mode nearest",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Sizes in ONNX order as the board indexes them; scales where those are not whole.

        A nearest Resize that the target's kernel computes otherwise than ONNX, or not at all,
        becomes one Gather along each axis: equally exact, in both widths.
        """
        if self.mode == "nearest" and not self._is_native(site):
            return _gathered(site, _onnx_positions(self, site))
        scales = _declared_scales(site)
        name, index, numbers = "sizes", 3, np.array(site.outputs[0].shape, dtype=np.int64)
        if scales != _size_ratios(site):
            name, index = "scales", 2
            numbers = np.array((1.0, 1.0, *scales), dtype=np.float32)
        tensor = Tensor.of(f"{site.node}/{name}", numbers)
        parameters: dict[int, Tensor | None] = {1: None, 2: None, 3: None, index: tensor}
        return LoweredOperator(self.op_type, self.to_attributes(), parameters)

    def _is_native(self, site: LoweringSite) -> bool:
        """Whether the target's nearest kernel takes the pixels that ONNX takes."""
        x, y = site.inputs[0], site.outputs[0]
        assert x is not None
        scales = _declared_scales(site)
        doubled = len(scales) == 2 and set(scales) == {2.0}
        if site.bits != 8 or (site.target.vector and x.shape[1] < _VECTOR and not doubled):
            return False
        return all(
            np.array_equal(_nearest(length, available, scale), wanted)
            for length, available, scale, wanted in zip(
                y.shape[2:], x.shape[2:], scales, _onnx_positions(self, site), strict=True
            )
        )

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Mode nearest, and half pixels at scales that are powers of two."""
        if self.mode == "nearest":
            return True
        x = inputs[0]
        if x is None or self.coordinate_transformation_mode == "align_corners":
            return False
        ratios = [
            np.frexp(np.float32(n) / np.float32(m))[0]
            for n, m in zip(outputs[0].dims[1:-1], x.dims[1:-1], strict=True)
        ]
        return all(ratio == 0.5 for ratio in ratios)

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


def _size_ratios(site: LoweringSite) -> tuple[float, ...]:
    """Output length by input length of the spatial axes, in float32."""
    x, y = site.inputs[0], site.outputs[0]
    assert x is not None
    return tuple(
        float(np.float32(n) / np.float32(m)) for n, m in zip(y.shape[2:], x.shape[2:], strict=True)
    )


def _declared_scales(site: LoweringSite) -> tuple[float, ...]:
    """The scales of the spatial axes: input 2, or the ratio of the sizes."""
    given = site.inputs[2] if len(site.inputs) > 2 else None
    if given is None or given.constant is None or not given.constant.size:
        return _size_ratios(site)
    rank = len(site.outputs[0].shape)
    if given.constant.size != rank:
        raise ModelError(
            f"{given.constant.size} scales for {rank} axes", hint="give a scale for every axis"
        )
    return tuple(float(np.float32(scale)) for scale in given.constant.ravel()[2:])


def _onnx_positions(op: Resize, site: LoweringSite) -> tuple[npt.NDArray[np.int64], ...]:
    """Which row, and which column, ONNX takes for each of the output."""
    x, y = site.inputs[0], site.outputs[0]
    assert x is not None
    half = np.float32(0.5)
    positions: list[npt.NDArray[np.int64]] = []
    for length, available, scale in zip(
        y.shape[2:], x.shape[2:], _declared_scales(site), strict=True
    ):
        steps, factor = np.arange(length).astype(np.float32), np.float32(scale)
        match op.coordinate_transformation_mode:
            case "asymmetric":
                real = steps / factor
            case "align_corners":
                real = steps * np.float32(available - 1) / np.float32(max(length - 1, 1))
            case "half_pixel" | "pytorch_half_pixel":
                real = (steps + half) / factor - half
                if length == 1 and op.coordinate_transformation_mode != "half_pixel":
                    real = np.zeros_like(steps)
            case other:
                raise UnsupportedAttributeError(
                    "coordinate_transformation_mode",
                    other,
                    "asymmetric, half_pixel, pytorch_half_pixel or align_corners",
                )
        match op.nearest_mode:
            case "floor":
                whole = np.floor(real)
            case "ceil":
                whole = np.ceil(real)
            case "round_prefer_ceil":
                whole = np.floor(real + half)
            case "round_prefer_floor":
                whole = np.ceil(real - half)
            case other:
                raise UnsupportedAttributeError("nearest_mode", other, "floor, ceil or round_…")
        positions.append(np.clip(whole, 0, available - 1).astype(np.int64))
    return tuple(positions)


def _gathered(site: LoweringSite, positions: tuple[npt.NDArray[np.int64], ...]) -> LoweredOperator:
    """Rows, then columns, picked by index from ``[1, H, W, C]`` (or ``[1, W, C]``)."""
    x = site.inputs[0]
    assert x is not None
    tensors = [Tensor.of("indices", array) for array in positions]
    moves: tuple[Move, ...] = ()
    if len(positions) == 2:
        rows = (1, len(positions[0]), x.shape[3], x.shape[1])
        moves = (Move(Gather(axis=1), rows, (0,), (tensors[0],)),)
    last = Gather(axis=len(positions))
    tensor = replace(tensors[-1], name=f"{site.node}/indices")
    return LoweredOperator(
        last.op_type,
        last.to_attributes(),
        {1: tensor, 2: None, 3: None},
        moves={0: moves} if moves else {},
    )


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
