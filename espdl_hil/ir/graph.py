"""The float graph between ONNX and the quantizer: immutable, in ONNX axis order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from espdl_hil.errors import ModelError
from espdl_hil.ir.operator import Operator
from espdl_hil.ir.types import Array, QuantParams, TensorType


@dataclass(frozen=True, slots=True)
class Node:
    """One operator applied to named values; an omitted optional input is ``""``."""

    name: str
    op: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A float model.

    Attributes:
        name: graph name.
        nodes: in execution order.
        inputs: graph inputs; constants are not among them.
        outputs: graph outputs.
        types: element type and static shape of every value, constants included.
        constants: parameters by name; read-only arrays.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Array]

    def validate(self) -> None:
        """Check names, order and completeness.

        Raises:
            ModelError: the first value or node that breaks a rule.
        """
        known = {*self.inputs, *self.constants}
        names: set[str] = set()
        for node in self.nodes:
            if not node.name or node.name in names:
                raise ModelError("node names must be unique and not empty", node=node.name)
            names.add(node.name)
            for value in node.inputs:
                if value and value not in known:
                    raise ModelError("used before it is computed", node=node.name, value=value)
            for value in node.outputs:
                if value in known:
                    raise ModelError("computed twice", node=node.name, value=value)
                known.add(value)
        for value in (*self.outputs, *known):
            if value not in known or value not in self.types:
                raise ModelError("has no type", value=value)


@dataclass(frozen=True, slots=True)
class QuantModel:
    """A graph with an exponent for every quantized value.

    Attributes:
        graph: still float; constants are quantized by the lowering.
        values: what each activation's producer (or the application, for inputs) gives; a value
            that is float on the board is absent.
        edges: what the consumer ``(node, input index)`` wants where that differs from ``values``;
            the lowering puts a requantization there. Weights and biases have their entry here too.
        bits: integer width of each node, by node name.
    """

    graph: Graph
    values: Mapping[str, QuantParams]
    edges: Mapping[tuple[str, int], QuantParams]
    bits: Mapping[str, int]
