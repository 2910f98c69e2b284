"""PRelu: negative values times a slope of their channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
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
from espdl_hil.ir.types import Array, Ints
from espdl_hil.numerics import saturate, shift_round, wrap
from espdl_hil.ops._plain import required
from espdl_hil.ops._stored import quantized, tabulate
from espdl_hil.ops._table import look_up, table_named
from espdl_hil.ops.leaky_relu import LeakyRelu
from espdl_hil.targets import Overflow

_LARGEST_LEFT = 6  # the vector kernels hold 2**n as one signed byte


@dataclass(frozen=True, slots=True)
class PRelu(Operator):
    """``x`` where positive, else ``slope[channel] * x``; the slopes are input 1, ``[C, 1, 1]``.

    Attributes:
        lut: name of the table where one slope serves all channels in int8; else empty.
    """

    op_type: ClassVar[str] = "PRelu"
    traits: ClassVar[Traits] = Traits(LayoutRule.CHANNELS_LAST, ExponentRule.ALIGNED, products=True)

    lut: str = ""

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> PRelu:
        """Parse."""
        return cls(attributes.text("lut", ""))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """The table's name, where there is one."""
        return {"lut": Attribute.of(self.lut)} if self.lut else {}

    def check(self, site: LoweringSite) -> None:
        """Refuse slopes that are not one, or one per channel of an image."""
        x, slopes = site.inputs[0], site.inputs[1]
        assert x is not None
        assert slopes is not None
        if slopes.constant is None:
            raise ModelError("slopes computed at run time")
        if slopes.constant.size != 1 and (
            len(x.shape) != 4 or slopes.constant.size != x.shape[1] or len(slopes.shape) < 3
        ):
            raise ModelError(
                f"slopes of shape {list(slopes.shape)} for {list(x.shape)}",
                hint="one slope, or one per channel of an image",
            )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """One slope becomes a table in int8 and a LeakyRelu in int16; else ``[C, 1, 1]`` stays."""
        x, slopes, y = site.inputs[0], site.inputs[1], site.outputs[0]
        assert x is not None
        assert slopes is not None
        assert slopes.constant is not None
        assert slopes.quant is not None
        if x.quant is None or y.quant is None:
            raise ModelError("a PRelu of floats", hint="only quantized ones are lowered")
        single = slopes.constant.size == 1
        if single and site.bits != 8:
            leaky = LeakyRelu(alpha=float(slopes.constant.ravel()[0]))
            return LoweredOperator(leaky.op_type, leaky.to_attributes(), {1: None})
        # The kernel takes [C, 1, 1]; beside a table one slope is never read and stays as it is.
        shaped = slopes.constant if single else slopes.constant.reshape(-1, 1, 1)
        tensor = Tensor.of(
            slopes.name,
            quantized(shaped, slopes.quant, site.target.rounding),
            exponents=slopes.quant.exponents,
        )
        if not single:
            return LoweredOperator(self.op_type, {}, {1: tensor})
        slope = np.float32(slopes.constant.ravel()[0])
        table = tabulate(
            lambda real: np.where(real >= 0, real, real * slope),
            f"{self.op_type}_lut",
            (x.quant.exponent, y.quant.exponent),
            site.target.rounding,
        )
        return LoweredOperator(self.op_type, {}, {1: tensor}, (table,))

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Look up, or multiply the negative values, as ``at.target.prelu`` says."""
        x, output = required(inputs, 0), outputs[0]
        if self.lut and x.array.dtype == np.int8:
            return (look_up(x, table_named(self.lut, output, at), at),)
        slopes = required(inputs, 1)
        alpha = _per_channel(x, slopes)
        if x.array.dtype.kind == "f":
            return (np.where(np.less(x.array, 0), np.multiply(x.array, alpha), x.array),)
        bits = 8 * x.array.dtype.itemsize
        kernel = at.target.prelu[bits]
        rescale = output.exponent - x.exponent
        shift = rescale - slopes.exponent
        values = x.array.astype(np.int64)
        product = values * alpha.astype(np.int64)
        if shift < 0 and at.target.vector:
            raise ModelError(f"a shift by {shift} bits: the vector kernels only shift right")
        if kernel.rescales and rescale < -_LARGEST_LEFT:
            raise ModelError(
                f"the output's exponent is smaller by {-rescale}: the kernel is right up to 6",
                hint="give input and output one exponent",
            )
        negative = (
            shift_round(product, shift, at.target.rounding)
            if kernel.rounds
            else _floored(product, shift, bits)
        )
        if kernel.overflow is Overflow.WRAP:
            negative = wrap(negative, bits)
        positive = shift_round(values, rescale, at.target.rounding) if kernel.rescales else values
        return (saturate(np.where(values < 0, negative, positive), output.dtype.numpy),)


def _floored(product: Ints, shift: int, bits: int) -> Ints:
    """Shift down without rounding; a left shift wraps in the buffer, twice as wide as ``bits``."""
    if shift >= 0:
        return product >> min(shift, 63)
    return wrap(product << min(-shift, 62 - 2 * bits), 2 * bits)


def _per_channel(x: Operand, slopes: Operand) -> Array:
    """The slopes, one per channel of ``x [1, H, W, C]``."""
    if x.array.ndim != 4:
        raise ModelError(f"the kernel takes [1, H, W, C], not {list(x.array.shape)}")
    if slopes.array.dtype != x.array.dtype:
        raise ModelError(f"slopes of {slopes.array.dtype} for {x.array.dtype}")
    alpha = slopes.array.ravel()
    channels = x.array.shape[-1]
    if alpha.size == channels:
        return alpha
    if alpha.size == 1 and x.array.dtype != np.int8:
        return np.broadcast_to(alpha, (channels,))
    raise ModelError(f"{alpha.size} slopes for {channels} channels")
