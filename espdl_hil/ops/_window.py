"""Sliding windows over stored activations, shared by convolutions and pools.

The law of this file: one dimension is two dimensions with a height of 1, as in the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attributes

Element = TypeVar("Element", bound=np.generic)


def as_image(array: npt.NDArray[Element]) -> npt.NDArray[Element]:
    """A stored activation ``[1, W, C]`` or ``[1, H, W, C]`` as ``[H, W, C]``.

    Raises:
        ModelError: another rank, or more than one sample.
    """
    if array.ndim not in (3, 4) or array.shape[0] != 1:
        raise ModelError(f"expected one sample [1, H, W, C] or [1, W, C], found {array.shape}")
    return array if array.ndim == 3 else array[0]


def like_input(image: npt.NDArray[Element], rank: int) -> npt.NDArray[Element]:
    """Invert ``as_image`` for an output of the same rank as the input."""
    return image if rank == 3 else image[None]


_LARGEST = 0x7FFF
"""Of a length in a window; what goes beyond is damage, and would ask for any amount of memory."""


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel that slides over ``[H, W, C]``; pairs are (vertical, horizontal).

    Attributes:
        kernel: height and width.
        strides: step between outputs.
        dilations: step between taps.
        pads: top, left, bottom, right.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]

    @classmethod
    def of(
        cls,
        kernel: tuple[int, ...],
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        pads: tuple[int, ...],
    ) -> Window:
        """A window from ONNX attributes; empty ones are ones, and zeros for ``pads``."""
        rank = len(kernel)
        strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
        pads = pads or (0,) * (2 * rank)
        if rank not in (1, 2) or not len(strides) == len(dilations) == rank == len(pads) / 2:
            raise ModelError(
                f"kernel {kernel}, strides {strides}, dilations {dilations} and pads {pads} "
                "do not describe a window in one or two dimensions"
            )
        if min((*kernel, *strides, *dilations)) < 1 or min(pads) < 0:
            raise ModelError("kernel, strides and dilations must be positive, pads not negative")
        if max((*kernel, *strides, *dilations, *pads)) > _LARGEST:
            raise ModelError(f"kernel, strides, dilations and pads must not exceed {_LARGEST}")
        if rank == 1:
            return cls((1, kernel[0]), (1, strides[0]), (1, dilations[0]), (0, pads[0], 0, pads[1]))
        return cls(
            (kernel[0], kernel[1]),
            (strides[0], strides[1]),
            (dilations[0], dilations[1]),
            (pads[0], pads[1], pads[2], pads[3]),
        )

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first tap to the last."""
        return (
            self.dilations[0] * (self.kernel[0] - 1) + 1,
            self.dilations[1] * (self.kernel[1] - 1) + 1,
        )

    def output_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of the output for an input of ``size``."""
        top, left, bottom, right = self.pads
        padded = (size[0] + top + bottom, size[1] + left + right)
        out = tuple(
            (p - e) // s + 1 for p, e, s in zip(padded, self.extent, self.strides, strict=True)
        )
        if min(out) < 1:
            raise ModelError(f"a window of {self.extent} does not fit into {padded}")
        return out[0], out[1]

    def refuse_unsafe(self, size: tuple[int, ...]) -> None:
        """Refuse inputs for which ESP-DL's border loops read past the tensor.

        Raises:
            ModelError: with stride above 1, an input smaller than the window without its end
                padding; with dilation above 1, a border window without any tap inside.
                Source: esp-dl 12c0616 dl_base.hpp ``conv_operation_shell``.
        """
        for axis, name in enumerate(("height", "width")):
            head, extent = self.pads[axis], self.extent[axis]
            if self.strides[axis] > 1 and size[axis] + head < extent:
                raise ModelError(
                    f"input {name} {size[axis]} is smaller than the window ({extent}) with "
                    f"stride {self.strides[axis]}: ESP-DL reads past the tensor",
                    hint="pad the input with a Pad node, or use stride 1",
                )
            if self.dilations[axis] > 1 and not self._every_window_touches(axis, size[axis]):
                raise ModelError(
                    f"a dilated window lies wholly in the {name} padding: ESP-DL computes garbage",
                    hint="reduce the padding",
                )

    def _every_window_touches(self, axis: int, size: int) -> bool:
        step, reach = self.strides[axis], self.dilations[axis]
        outputs = (size + self.pads[axis] + self.pads[axis + 2] - self.extent[axis]) // step + 1
        starts = np.arange(outputs) * step - self.pads[axis]
        taps = np.add.outer(starts, np.arange(self.kernel[axis]) * reach)
        return bool(((taps >= 0) & (taps < size)).any(axis=1).all())

    def padded(self, image: npt.NDArray[Element], fill: float) -> npt.NDArray[Element]:
        """``image [H, W, C]`` with ``fill`` around it."""
        top, left, bottom, right = self.pads
        if not any(self.pads):
            return image
        height, width, channels = image.shape
        out = np.full((top + height + bottom, left + width + right, channels), fill, image.dtype)
        out[top : top + height, left : left + width] = image
        return out

    def tap(self, padded: npt.NDArray[Element], y: int, x: int) -> npt.NDArray[Element]:
        """What tap ``(y, x)`` of each window meets: a view ``[OH, OW, C]`` of the padded image."""
        height = (padded.shape[0] - self.extent[0]) // self.strides[0] + 1
        width = (padded.shape[1] - self.extent[1]) // self.strides[1] + 1
        row, column = y * self.dilations[0], x * self.dilations[1]
        return padded[
            row : row + (height - 1) * self.strides[0] + 1 : self.strides[0],
            column : column + (width - 1) * self.strides[1] + 1 : self.strides[1],
        ]

    def patches(self, padded: npt.NDArray[Element]) -> npt.NDArray[Element]:
        """A view ``[OH, OW, KH, KW, C]`` of what every window meets."""
        rows, columns, channels = padded.strides
        height = (padded.shape[0] - self.extent[0]) // self.strides[0] + 1
        width = (padded.shape[1] - self.extent[1]) // self.strides[1] + 1
        return np.lib.stride_tricks.as_strided(
            padded,
            shape=(height, width, *self.kernel, padded.shape[2]),
            strides=(
                rows * self.strides[0],
                columns * self.strides[1],
                rows * self.dilations[0],
                columns * self.dilations[1],
                channels,
            ),
            writeable=False,
        )


def spatial(attributes: Attributes, name: str) -> tuple[int, ...]:
    """An INTS attribute of a window; empty where it is absent."""
    return attributes.integers(name, ())


def explicit_pads(attributes: Attributes) -> tuple[int, ...]:
    """The ``pads`` attribute; ``auto_pad`` must have been resolved into it.

    Raises:
        UnsupportedAttributeError: ``auto_pad`` is SAME_UPPER or SAME_LOWER, which need the shape.
    """
    auto_pad = attributes.text("auto_pad", "NOTSET")
    if auto_pad not in ("NOTSET", "VALID", ""):
        raise attributes.unsupported("auto_pad", auto_pad, "NOTSET or VALID with explicit pads")
    return () if auto_pad == "VALID" else attributes.integers("pads", ())


def peak_of(array: npt.NDArray[Any]) -> int:
    """The largest magnitude of integers."""
    return max(int(array.max(initial=0)), -int(array.min(initial=0)))
