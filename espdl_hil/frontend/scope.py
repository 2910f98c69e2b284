"""One node as ONNX writes it, and what the door knows of the model around it.

The law of this file: it knows no operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.types import Array, DType, TensorType

_NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """One node as ONNX writes it, before it is an operator."""

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=lambda: _NO_ATTRIBUTES)
    domain: str = ""

    def changed(self, *, inputs: tuple[str, ...], attributes: Mapping[str, Attribute]) -> OnnxNode:
        """This node with other inputs and attributes."""
        return replace(self, inputs=inputs, attributes=attributes)

    def typed(self, opset: int) -> Attributes:
        """The attributes, read by name and type."""
        return Attributes(self.name, self.op_type, self.attributes, opset)


@dataclass(slots=True)
class Scope:
    """What the door knows of the model, and where rewritings put new constants and values."""

    opset: int
    constants: dict[str, Array]
    types: dict[str, TensorType]

    def shape(self, node: OnnxNode, value: str) -> tuple[int, ...]:
        """The static shape of ``value``; ``ModelError`` names the node where it is unknown."""
        if value not in self.types:
            raise ModelError("the shape is not static", node=node.name, value=value)
        return self.types[value].shape

    def constant(self, node: OnnxNode, index: int) -> Array:
        """The constant at input ``index``; ``ModelError`` where it is computed at run time."""
        value = node.inputs[index]
        if value not in self.constants:
            raise ModelError(
                f"input {index} of {node.op_type} must be a constant", node=node.name, value=value
            )
        return self.constants[value]

    def add_constant(self, name: str, array: npt.ArrayLike) -> str:
        """Add a constant under a free name made from ``name``; return the name."""
        data = np.array(array)
        data.flags.writeable = False
        return self._add(name, TensorType(DType.of(data.dtype), tuple(data.shape)), data)

    def add_value(self, name: str, like: str, shape: tuple[int, ...] | None = None) -> str:
        """Add an activation typed as ``like`` (or of another shape); return its free name."""
        known = self.types[like]
        return self._add(name, TensorType(known.dtype, known.shape if shape is None else shape))

    def _add(self, name: str, kind: TensorType, array: Array | None = None) -> str:
        free, count = name, 1
        while free in self.types:
            count += 1
            free = f"{name}_{count}"
        self.types[free] = kind
        if array is not None:
            self.constants[free] = array
        return free
