"""Element types, tensor types and power-of-two quantization parameters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError

Array = npt.NDArray[np.generic]
Ints = npt.NDArray[np.signedinteger]
Floats = npt.NDArray[np.floating]


class DType(IntEnum):
    """Element type; the numbers are those of ``.espdl`` and ONNX."""

    UNDEFINED = 0
    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    STRING = 8
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy type of one element, little endian; ``ModelError`` where numpy has none."""
        try:
            return np.dtype(_NUMPY[self])
        except KeyError:
            raise ModelError(f"element type {self.name} has no fixed-size elements") from None

    @classmethod
    def of(cls, dtype: npt.DTypeLike) -> DType:
        """The element type of a numpy dtype."""
        wanted = np.dtype(dtype).newbyteorder("<")
        for member, name in _NUMPY.items():
            if np.dtype(name) == wanted:
                return member
        raise ModelError(f"numpy type {np.dtype(dtype)} has no .espdl element type")

    @classmethod
    def integer(cls, bits: int) -> DType:
        """The signed type of a quantized tensor of ``bits`` (8 or 16)."""
        return {8: cls.INT8, 16: cls.INT16, 32: cls.INT32, 64: cls.INT64}[bits]


_NUMPY: dict[DType, str] = {
    DType.FLOAT: "<f4",
    DType.UINT8: "|u1",
    DType.INT8: "|i1",
    DType.UINT16: "<u2",
    DType.INT16: "<i2",
    DType.INT32: "<i4",
    DType.INT64: "<i8",
    DType.BOOL: "|b1",
    DType.FLOAT16: "<f2",
    DType.DOUBLE: "<f8",
    DType.UINT32: "<u4",
    DType.UINT64: "<u8",
}


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type and shape, in the axis order of the graph that owns it."""

    dtype: DType
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QuantParams:
    """Symmetric power-of-two quantization: ``real = integer * 2**exponent``.

    Attributes:
        exponents: one, or one per channel along ``axis``.
        bits: width of the integer type.
        axis: the ONNX axis of the channels; ``None`` per tensor.
    """

    exponents: tuple[int, ...]
    bits: int
    axis: int | None = None

    @property
    def exponent(self) -> int:
        """The exponent of a per-tensor value."""
        if len(self.exponents) != 1:
            raise ModelError(f"expected one exponent, found {len(self.exponents)} (per channel)")
        return self.exponents[0]

    @property
    def dtype(self) -> DType:
        """The stored element type."""
        return DType.integer(self.bits)
