"""One tensor in another's type and exponent, as ESP-DL's ``TensorBase::assign`` converts it.

Source: esp-dl 12c0616 dl_tensor_base.cpp ``assign``, dl_base_requantize_linear.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, Operand
from espdl_hil.ir.types import Array, Floats
from espdl_hil.numerics import quantize, saturate, scale_of, shift_round
from espdl_hil.ops._plain import Plain, required
from espdl_hil.targets import RequantizeLimits

_SMALL = 50  # elements; up to here floats convert, which have no limits
_QUANTIZED = ("int8", "int16")


@dataclass(frozen=True, slots=True)
class Requantizing(Plain):
    """Quantize-, Dequantize- and RequantizeLinear: on the board they are one module.

    Their scale and zero point inputs are not read; the declared exponents decide.
    """

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Convert input 0 to what the file declares for the output."""
        return (assigned(required(inputs, 0), outputs[0], at),)


def assigned(x: Operand, output: ValueInfo, at: Execution) -> Array:
    """``x`` in the type and exponent of ``output``.

    Raises:
        ModelError: a pair of types that the board does not convert, or a shift that its vector
            kernel computes wrongly.
    """
    wanted = output.dtype.numpy
    source = x.array
    if source.dtype == wanted and x.exponent == output.exponent:
        return source
    if source.dtype.kind == "f" and str(wanted) in _QUANTIZED:
        # The scale is a float32 also where the elements are double.
        scale = scale_of(-output.exponent).astype(source.dtype)
        scaled: Floats = np.multiply(source, scale)
        return quantize(scaled, wanted, at.target.rounding)
    if str(source.dtype) not in _QUANTIZED or str(wanted) not in (*_QUANTIZED, "float32"):
        raise ModelError(f"the board does not convert {source.dtype} to {wanted}")
    if wanted == np.float32:
        return source.astype(np.float32) * scale_of(x.exponent)
    shift = output.exponent - x.exponent
    if at.target.requantize is not None and shift and source.size > _SMALL:
        _refuse(at.target.requantize, x, output, shift, at.target.name)
    return saturate(shift_round(source.astype(np.int64), shift, at.target.rounding), wanted)


def _refuse(
    limits: RequantizeLimits, x: Operand, output: ValueInfo, shift: int, target: str
) -> None:
    pair = (x.array.dtype.itemsize, output.dtype.numpy.itemsize)
    if pair == (2, 2):
        return  # guarded upstream: larger shifts take the float path
    limit = {(1, 1): limits.narrow, (1, 2): limits.widen, (2, 1): limits.shrink}[pair]
    if -shift > limit:
        raise ModelError(
            f"{x.array.dtype} to {output.dtype.numpy} with an exponent smaller by {-shift}: the "
            f"vector kernel of {target} is right up to {limit}",
            hint="choose exponents closer to each other",
        )
    if limits.whole_blocks and pair == (1, 2) and x.array.size % 16 == 8:
        raise ModelError(
            f"int8 to int16 of {x.array.size} elements: the vector kernel of {target} does not "
            "write the last 8 when 8 remain after blocks of 16",
            hint="change the number of elements",
        )
