"""Between real arrays in ONNX order and a board's integers in stored order.

Only graph inputs and outputs are translated: their stored axis order is in the file's metadata.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array, DType
from espdl_hil.lowering.axes import stored_axes
from espdl_hil.numerics import quantize
from espdl_hil.targets import Target


def to_stored(model: LoweredModel, name: str, real: Array, target: Target) -> Array:
    """One sample of graph input ``name`` as the board wants it.

    Args:
        model: from ``lower``, or any file whose inputs are in ONNX order.
        name: graph input or output.
        real: float, ONNX order and shape.
        target: its rounding quantizes.
    """
    info = model.values[name]
    perm = stored_axes(model.metadata, name, real.ndim)
    moved = np.ascontiguousarray(np.asarray(real, dtype=np.float32).transpose(perm))
    if info.dtype is DType.FLOAT:
        return moved
    return quantize(np.ldexp(moved, -info.exponent), info.dtype.numpy, target.rounding)


def to_real(model: LoweredModel, name: str, stored: Array) -> npt.NDArray[np.float32]:
    """A board's array of graph input or output ``name`` as reals in ONNX order."""
    info = model.values[name]
    perm = stored_axes(model.metadata, name, stored.ndim)
    real = stored.astype(np.float32)
    if info.dtype is not DType.FLOAT:
        real = np.ldexp(real, info.exponent)
    return real.transpose(np.argsort(perm))
