"""AveragePool: exact sum of each window, times a float32 factor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import UnsupportedAttributeError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import QUANTIZED, REAL, undecided
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
    Declared,
    Execution,
    ExponentRule,
    LayoutRule,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.numerics import quantize, scale_of
from espdl_hil.ops._plain import required
from espdl_hil.ops._pool import Pool
from espdl_hil.ops._window import as_image, explicit_pads, like_input, spatial
from espdl_hil.targets import Freedom

AVERAGING = undecided(
    "the product of an exact sum with 1.f / area",
    Freedom.ESTIMATE,
    dtypes=QUANTIZED,
    source="dl_base_avg_pool2d.cpp avgpool2d_hwc",
) + undecided(
    "a sum in float32",
    Freedom.REORDERING,
    dtypes=REAL,
    source="dl_base_avg_pool2d.cpp avgpool2d_hwc",
)


def halves_exactly(x: Declared | None, count: int) -> bool:
    """Whether integers are divided by a power of two: no float rounds then."""
    return x is not None and x.dtype in QUANTIZED and count & (count - 1) == 0


def averaged(sums: npt.NDArray[Any], area: int, x: Operand, y: ValueInfo, at: Execution) -> Array:
    """Divide sums by the number of taps, in float32 as the board does.

    Source: esp-dl 12c0616 dl_base_avg_pool2d.cpp ``avgpool2d_hwc``.
    """
    inverse = np.float32(1) / np.float32(area)
    if sums.dtype.kind == "f":
        return (sums * inverse).astype(np.float32)
    factor = scale_of(x.exponent) * inverse * scale_of(-y.exponent)
    scaled = sums.astype(np.int32).astype(np.float32) * factor
    return quantize(scaled, y.dtype.numpy, at.target.rounding)


@dataclass(frozen=True, slots=True)
class AveragePool(Pool):
    """The mean over the whole window, padding included as 0, whatever the attributes say.

    Attributes:
        count_include_pad: as ONNX has it; the board always includes.
    """

    op_type: ClassVar[str] = "AveragePool"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.CHANNELS_LAST, ExponentRule.CALIBRATED, undecided=AVERAGING
    )

    count_include_pad: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> AveragePool:
        """Parse; what is absent stays empty."""
        return cls(
            kernel_shape=attributes.integers("kernel_shape"),
            strides=spatial(attributes, "strides"),
            pads=explicit_pads(attributes),
            dilations=spatial(attributes, "dilations"),
            ceil_mode=attributes.integer("ceil_mode", 0),
            count_include_pad=attributes.integer("count_include_pad", 0),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes, defaults written out."""
        included = {"count_include_pad": Attribute.of(self.count_include_pad)}
        return {**included, **Pool.to_attributes(self)}

    def check(self, site: LoweringSite) -> None:
        """Refuse a mean that leaves the padding out."""
        Pool.check(self, site)
        if any(self.pads) and not self.count_include_pad:
            raise UnsupportedAttributeError(
                "count_include_pad",
                self.count_include_pad,
                "with pads only 1: the board divides by the whole window",
                hint="train and export with count_include_pad=True, or without padding",
            )

    def settled(self, inputs: Sequence[Declared | None], outputs: Sequence[ValueInfo]) -> bool:
        """Where the window has a power of two of taps."""
        return halves_exactly(inputs[0], math.prod(self.kernel_shape))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Sum tap by tap, then scale."""
        x = required(inputs, 0)
        image = as_image(x.array)
        window = self.window(image)
        kind = np.float32 if image.dtype.kind == "f" else np.int64
        padded = window.padded(image, 0)
        sums = np.zeros(window.tap(padded, 0, 0).shape, dtype=kind)
        area = window.kernel[0] * window.kernel[1]
        for tap in range(area):
            sums += window.tap(padded, *divmod(tap, window.kernel[1]))
        return (like_input(averaged(sums, area, x, outputs[0], at), x.array.ndim),)
