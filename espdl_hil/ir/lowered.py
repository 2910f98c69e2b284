"""The lowered model: exactly what an ``.espdl`` file says, as an immutable value.

Names, layouts, attribute spellings and bytes are the board's. The simulator executes this, the
writer writes it, the reader returns it for anybody's file; ``read(write(x)) == x``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.types import Array, DType

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tensor:
    """A stored tensor: a parameter, a lookup table, or a test vector.

    Attributes:
        name: value name; node inputs and ``lut`` attributes refer to it.
        dtype: element type.
        dims: as the file writes them; for packed filters these are *not* the order of ``data``
            (see ``espdl_hil.ir.layouts``).
        data: elements, little endian, C order of the stored layout, without end padding.
        exponents: one, or one per channel; ``(0,)`` for values without a quantization.
        strings: the elements where ``dtype`` is STRING (then ``data`` is empty).
        doc: free text; esp-ppq writes the filter layout here.
    """

    name: str
    dtype: DType
    dims: tuple[int, ...]
    data: bytes
    exponents: tuple[int, ...] = (0,)
    strings: tuple[str, ...] = ()
    doc: str = ""

    def array(self) -> Array:
        """The elements as a read-only array of shape ``dims``."""
        flat = np.frombuffer(self.data, dtype=self.dtype.numpy)
        return flat.reshape(self.dims)

    @classmethod
    def of(
        cls,
        name: str,
        array: Array,
        *,
        exponents: tuple[int, ...] = (0,),
        dims: tuple[int, ...] | None = None,
        doc: str = "",
    ) -> Tensor:
        """A tensor holding ``array``; ``dims`` overrides its shape for packed layouts."""
        dtype = DType.of(array.dtype)
        data = np.ascontiguousarray(array, dtype=dtype.numpy).tobytes()
        shape = tuple(int(n) for n in array.shape) if dims is None else dims
        return cls(name, dtype, shape, data, exponents, (), doc)


@dataclass(frozen=True, slots=True)
class ValueInfo:
    """What the file says of one activation.

    Attributes:
        name: value name.
        dtype: INT8 or INT16 where quantized, else the float or integer type.
        shape: stored axis order (NHWC where a convolution feeds it); ``None`` where the file gives
            none; a string stands for a symbolic dimension.
        exponents: ``(exponent,)``; ``(0,)`` where not quantized.
        doc: free text.
    """

    name: str
    dtype: DType
    shape: tuple[int | str, ...] | None
    exponents: tuple[int, ...] = (0,)
    doc: str = ""

    @property
    def exponent(self) -> int:
        """The exponent of a per-tensor value."""
        if len(self.exponents) != 1:
            raise ModelError(f"expected one exponent, found {self.exponents}", value=self.name)
        return self.exponents[0]

    @property
    def dims(self) -> tuple[int, ...]:
        """The static shape; ``ModelError`` where it is missing or symbolic."""
        if self.shape is None or not all(isinstance(n, int) for n in self.shape):
            raise ModelError(f"shape {self.shape} is not static", value=self.name)
        return tuple(int(n) for n in self.shape)


@dataclass(frozen=True, slots=True)
class LoweredNode:
    """One node as the board executes it; an omitted optional input is ``""``."""

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    domain: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class LoweredModel:
    """A whole ``.espdl`` model.

    Attributes:
        name: graph name.
        nodes: in execution order.
        inputs: names of graph inputs, in file order.
        outputs: names of graph outputs, in file order.
        values: every activation by name, inputs and outputs included, in file order.
        parameters: every initializer by name, in file order.
        test_inputs: one tensor per graph input, stored layout; empty where the file has none.
        test_outputs: expected tensors; names may be inner values.
        metadata: free key-value pairs; ``target`` names the chip where present.
        ir_version: ONNX IR version that the producer copied.
        model_version: version of the model itself.
        opset_imports: (domain, version) pairs.
        producer: (name, version).
        domain: model domain.
        doc: model description.
        graph_doc: graph description.
    """

    name: str
    nodes: tuple[LoweredNode, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Mapping[str, ValueInfo]
    parameters: Mapping[str, Tensor]
    test_inputs: tuple[Tensor, ...] = ()
    test_outputs: tuple[Tensor, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    ir_version: int = 8
    model_version: int = 0
    opset_imports: tuple[tuple[str, int], ...] = ()
    producer: tuple[str, str] = ("", "")
    domain: str = ""
    doc: str = ""
    graph_doc: str = ""
