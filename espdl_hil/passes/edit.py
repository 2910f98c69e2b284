"""Questions to a graph, and new graphs from old: what every pass needs.

The law of this file: nothing here knows an operator.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import Operator
from espdl_hil.ir.types import Array, DType, TensorType

_NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})
_CURRENT_OPSET = 20
"""In which attributes of new nodes are written."""


@dataclass(slots=True)
class Draft:
    """A graph being rewritten: a pass replaces nodes here and takes ``graph()`` at the end.

    Attributes:
        source: the graph before.
        nodes: by name, in order; ``None`` for a removed node.
        constants: all constants, new ones too.
        types: types of all values, new ones too.
    """

    source: Graph
    nodes: dict[str, tuple[Node, ...]] = field(init=False)
    constants: dict[str, Array] = field(init=False)
    types: dict[str, TensorType] = field(init=False)
    aliases: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = {node.name: (node,) for node in self.source.nodes}
        self.constants = dict(self.source.constants)
        self.types = dict(self.source.types)

    def replace(self, old: Node, *new: Node) -> None:
        """Put ``new`` nodes in the place of ``old``; none removes it."""
        self.nodes[old.name] = new

    def alias(self, value: str, other: str) -> None:
        """Let every reader of ``value`` read ``other`` instead."""
        self.aliases[value] = other

    def add_constant(self, name: str, array: npt.ArrayLike) -> str:
        """Add a constant under a free name made from ``name``; return the name."""
        data = np.array(array)
        data.flags.writeable = False
        kind = TensorType(DType.of(data.dtype), tuple(data.shape))
        free = self._add(name, kind)
        self.constants[free] = data
        return free

    def add_value(self, name: str, like: str, shape: tuple[int, ...]) -> str:
        """Add an activation of the element type of ``like``; return its free name."""
        return self._add(name, TensorType(self.types[like].dtype, shape))

    def _add(self, name: str, kind: TensorType) -> str:
        free = _free(name, self.types)
        self.types[free] = kind
        return free

    def step(
        self,
        kind: type[Operator],
        name: str,
        inputs: tuple[str, ...],
        shape: tuple[int, ...],
        attributes: Mapping[str, Attribute] = _NO_ATTRIBUTES,
    ) -> Node:
        """A node of ``kind`` with a new float result of ``shape``; the caller places it."""
        result = self._add(name, TensorType(DType.FLOAT, shape))
        return self.node(kind, name, inputs, result, attributes)

    def node(
        self,
        kind: type[Operator],
        name: str,
        inputs: tuple[str, ...],
        result: str,
        attributes: Mapping[str, Attribute] = _NO_ATTRIBUTES,
    ) -> Node:
        """A node of ``kind`` that gives ``result``; the caller places it."""
        op = kind.from_attributes(Attributes(name, kind.op_type, attributes, _CURRENT_OPSET))
        return Node(name, op, inputs, (result,))

    def free_node(self, name: str) -> str:
        """A name made from ``name`` that no node of the source has."""
        return _free(name, self.nodes)

    def graph(self) -> Graph:
        """The rewritten graph, without what nothing reads any more; validated."""

        def real(value: str) -> str:
            while value in self.aliases:
                value = self.aliases[value]
            return value

        nodes = tuple(
            Node(node.name, node.op, tuple(map(real, node.inputs)), node.outputs)
            for group in self.nodes.values()
            for node in group
        )
        used = {*self.source.inputs, *self.source.outputs}
        for node in nodes:
            used.update(node.inputs, node.outputs)
        graph = Graph(
            self.source.name,
            nodes,
            self.source.inputs,
            self.source.outputs,
            {name: kind for name, kind in self.types.items() if name in used},
            {name: array for name, array in self.constants.items() if name in used},
        )
        graph.validate()
        return graph


def _free(name: str, taken: Container[str]) -> str:
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    return free


def readers(graph: Graph) -> Mapping[str, tuple[Node, ...]]:
    """The nodes that read each value, in order; a value nobody reads is absent."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for value in dict.fromkeys(node.inputs):
            if value:
                found.setdefault(value, []).append(node)
    return {value: tuple(nodes) for value, nodes in found.items()}


def producers(graph: Graph) -> Mapping[str, Node]:
    """The node that computes each activation."""
    return {value: node for node in graph.nodes for value in node.outputs if value}


def only_reader(graph: Graph, by_value: Mapping[str, tuple[Node, ...]], value: str) -> Node | None:
    """The single node that reads ``value``; ``None`` for several, or for a graph output."""
    found = by_value.get(value, ())
    return found[0] if len(found) == 1 and value not in graph.outputs else None


def constant_operand(node: Node, constants: Iterable[str]) -> tuple[str, str] | None:
    """``(activation, constant)`` of a two-input node where exactly one input is a constant."""
    left, right = node.inputs
    if (left in constants) == (right in constants):
        return None
    return (right, left) if left in constants else (left, right)


def without_idle(graph: Graph) -> Graph:
    """The graph without nodes whose results nothing reads."""
    needed = set(graph.outputs)
    draft = Draft(graph)
    for node in reversed(graph.nodes):
        if any(value in needed for value in node.outputs):
            needed.update(node.inputs)
        else:
            draft.replace(node)
    return draft.graph()
