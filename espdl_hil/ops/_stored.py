"""Constants as a file stores them: quantized with the target's rounding, permuted, packed.

The law of this file: the only place where a weight or bias becomes an integer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.layouts import FilterKind, filter_dims, filter_doc, pack_filter
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.operator import LoweringSite, Site
from espdl_hil.ir.types import Array, Floats, Ints, QuantParams
from espdl_hil.numerics import quantize
from espdl_hil.targets import Rounding, Target

UNPACKED = "layout ==> UNK"
"""How files say that a parameter's elements lie as its ``dims`` order them."""


def quantized(array: Array, quant: QuantParams, rounding: Rounding) -> Ints:
    """Float elements as integers of ``quant`` (8 or 16 bits), saturated, infinities too."""
    top = 2.0 ** (quant.bits - 1)
    with np.errstate(over="ignore"):
        scaled = np.ldexp(array.astype(np.float32, copy=False), -_exponents(quant, array.ndim))
    # Here and not by ``quantize``, which takes infinities as a chip's conversion does.
    return quantize(np.clip(scaled, -top, top - 1.0), quant.dtype.numpy, rounding)


def _exponents(quant: QuantParams, rank: int) -> npt.NDArray[np.int32]:
    """The exponents in a shape that broadcasts against an array of ``rank``."""
    exponents = np.array(quant.exponents, dtype=np.int32)
    if quant.axis is None:
        return exponents.reshape((1,) * rank)
    shape = [1] * rank
    shape[quant.axis] = -1
    return exponents.reshape(shape)


def stored_constant(site: Site, target: Target) -> Tensor:
    """A constant that no kernel wants packed: quantized where it is data, in the stored order."""
    assert site.constant is not None
    array = site.constant
    exponents: tuple[int, ...] = (0,)
    if site.quant is not None:
        array = quantized(array, site.quant, target.rounding)
        exponents = site.quant.exponents
    return Tensor.of(site.name, array.transpose(site.perm), exponents=exponents, doc=UNPACKED)


def weighted(site: LoweringSite) -> tuple[Site, Site]:
    """Inputs 0 and 1 of a multiply-accumulate node; ``ModelError`` unless 1 and 2 are constants."""
    x, weights = site.inputs[0], site.inputs[1]
    assert x is not None
    assert weights is not None
    for index, given in enumerate(site.inputs[1:3], start=1):
        if given is not None and given.constant is None:
            raise ModelError(
                f"input {index} is computed at run time", hint="only constant weights and biases"
            )
    return x, weights


def stored_weights(site: LoweringSite, kind: FilterKind) -> dict[int, Tensor | None]:
    """Inputs 1 and 2 of a multiply-accumulate node as parameters."""
    parameters: dict[int, Tensor | None] = {1: stored_filter(site, kind)}
    if len(site.inputs) > 2 and site.inputs[2] is not None:
        parameters[2] = stored_bias(site)
    return parameters


def stored_filter(site: LoweringSite, kind: FilterKind) -> Tensor:
    """Input 1 of a multiply-accumulate node, quantized and packed."""
    weights = site.inputs[1]
    assert weights is not None
    assert weights.constant is not None
    assert weights.quant is not None
    block = site.target.mac[site.bits].filter_block
    integers = quantized(weights.constant, weights.quant, site.target.rounding)
    return Tensor.of(
        weights.name,
        pack_filter(integers, kind, block),
        exponents=weights.quant.exponents,
        dims=filter_dims(integers.shape, kind),
        doc=filter_doc(integers.shape, kind, block),
    )


def stored_bias(site: LoweringSite) -> Tensor:
    """Input 2 of a multiply-accumulate node: int32 or int64, within the target's bias width.

    Source: esp-ppq ``EspdlQuantizer`` (bias bits), esp-dl 12c0616 dl_tensor_base.cpp
    ``reset_bias_layout`` (element type; the board repacks it at load).
    """
    bias = site.inputs[2]
    assert bias is not None
    assert bias.constant is not None
    assert bias.quant is not None
    scaled = np.ldexp(bias.constant.astype(np.float64), -_exponents(bias.quant, 1))
    match site.target.rounding:
        case Rounding.HALF_UP:
            rounded = np.floor(scaled + 0.5)
        case Rounding.HALF_EVEN:
            rounded = np.rint(scaled)
    # Doubles end before int64 does: the largest one below 2**63 is 2**63 - 1024.
    limit = 2.0 ** (site.target.mac[site.bits].bias_bits - 1)
    clipped = np.clip(rounded, -limit, np.nextafter(limit, 0.0) if limit > 2.0**52 else limit - 1.0)
    return Tensor.of(
        bias.name,
        clipped.astype(bias.quant.dtype.numpy),
        exponents=bias.quant.exponents,
        doc=UNPACKED,
    )


def tabulate(
    function: Callable[[Floats], Floats], name: str, exponents: tuple[int, int], rounding: Rounding
) -> Tensor:
    """The 256 int8 results of ``function`` for the inputs -128 … 127, in that order.

    Args:
        function: float32 to float32.
        name: of the table in the file.
        exponents: of the input, and of the output; the table has the output's, as the board
            asserts.
        rounding: the target's.
    """
    given, result = exponents
    x = np.ldexp(np.arange(-128, 128, dtype=np.float32), given)
    with np.errstate(all="ignore"):
        y = function(x).astype(np.float32, copy=False)
    entries = quantized(np.nan_to_num(y), QuantParams((result,), 8), rounding)
    return Tensor.of(name, entries, exponents=(result,))
