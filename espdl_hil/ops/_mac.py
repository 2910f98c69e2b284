"""What Conv, Gemm and MatMul share: the fused activation, and a layer made from its operands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, Operand
from espdl_hil.ir.types import Array, DType, Ints
from espdl_hil.numerics import MacParameters

_WIDEST = 63  # bits: beyond it C leaves the result of a shift undefined
_BITS = {DType.INT8: 8, DType.INT16: 16}
_BIAS = {DType.INT8: DType.INT32, DType.INT16: DType.INT64}


class Activation(Enum):
    """What the kernel does to its result before it stores it."""

    LINEAR = "Linear"
    RELU = "Relu"


def parse_activation(attributes: Attributes) -> Activation:
    """The ``activation`` attribute that esp-ppq writes; Linear in an ONNX node.

    Raises:
        UnsupportedAttributeError: another activation; their kernels are disabled upstream.
    """
    name = attributes.text("activation", Activation.LINEAR.value)
    try:
        return Activation(name)
    except ValueError:
        raise attributes.unsupported("activation", name, "Linear or Relu") from None


@dataclass(frozen=True, slots=True)
class Filter:
    """Weights that are unpacked: ``taps [T, N]``, and the input channels per position."""

    taps: Array
    channels: int
    depthwise: bool = False


def filter_block(operand: Operand, at: Execution) -> int:
    """Output channels per block of a stored filter of this element type."""
    return at.target.mac[bits_of(operand)].filter_block


def bits_of(operand: Operand) -> int:
    """Width of a quantized operand; ``ModelError`` for another type (there is no float kernel)."""
    dtype = DType.of(operand.array.dtype)
    if dtype not in _BITS:
        raise ModelError(f"only int8 and int16 have kernels, found {dtype.name}")
    return _BITS[dtype]


def mac_parameters(
    operands: tuple[Operand, Operand, Operand | None],
    filters: Filter,
    output: ValueInfo,
    activation: Activation,
    at: Execution,
) -> MacParameters:
    """A layer from its input, weights and bias.

    Raises:
        ModelError: element types that no kernel takes, a bias of the wrong length, per-channel
            weights or shifts to the left that the target's kernels compute wrongly.

    A shift that is too large for the register of a lane is the one that the register holds.
    """
    x, weights, bias = operands
    arithmetic = at.target.mac[bits_of(x)]
    dtype = DType.of(x.array.dtype)
    if not dtype == DType.of(weights.array.dtype) == output.dtype:
        raise ModelError(
            f"input {dtype.name}, weights {DType.of(weights.array.dtype).name} and output "
            f"{output.dtype.name} must have one type"
        )
    channels = filters.taps.shape[1]
    shifts = _shifts(x, weights, output, channels, at)
    lanes = channels if filters.depthwise else channels - channels % arithmetic.filter_block
    if int(shifts.max(initial=0)) > _WIDEST:
        raise ModelError(
            f"a shift by {int(shifts.max())} bits",
            hint="the weights of this channel are nearly zero: raise their exponent",
        )
    shifts = shifts.copy()
    shifts[:lanes] = [s if s < 0 else arithmetic.taken_shift(s) for s in shifts[:lanes].tolist()]
    return MacParameters(
        taps=np.asarray(filters.taps, dtype=dtype.numpy),
        bias=_bias(bias, dtype, channels),
        shifts=shifts,
        channels=filters.channels,
        arithmetic=arithmetic,
        rounding=at.target.rounding,
        relu=activation is Activation.RELU,
    )


def _shifts(
    x: Operand, weights: Operand, output: ValueInfo, channels: int, at: Execution
) -> npt.NDArray[np.int64]:
    count = len(weights.exponents)
    if count > 1 and not at.target.per_channel_weights:
        raise ModelError(
            f"per-channel weights do not exist on {at.target.name}",
            hint="quantize for this target with one exponent per tensor",
        )
    if count not in (1, channels):
        raise ModelError(f"{count} weight exponents for {channels} output channels")
    exponents = np.array(weights.exponents, dtype=np.int64)
    shifts = output.exponent - x.exponent - exponents
    if at.target.vector and int(shifts.min()) < 0:
        raise ModelError(
            f"a shift by {int(shifts.min())} bits: the vector kernels of {at.target.name} cannot "
            "shift left (output exponent below input exponent plus weight exponent)",
            hint="raise the output's exponent",
        )
    return np.broadcast_to(shifts, (channels,))


def _bias(bias: Operand | None, dtype: DType, channels: int) -> Ints:
    if bias is None:
        return np.zeros(channels, dtype=np.int64)
    found = DType.of(bias.array.dtype)
    if found is not _BIAS[dtype]:
        raise ModelError(f"the bias is {found.name}, the kernel reads {_BIAS[dtype].name}")
    if bias.array.size != channels:
        raise ModelError(f"{bias.array.size} bias values for {channels} output channels")
    return bias.array.ravel().astype(np.int64)
