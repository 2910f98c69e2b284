"""What the fusions of normalizations share: reading their parts, either factor first.

The law of this file: it only looks; a fusion that follows has decided that nothing else reads the
parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import Operator
from espdl_hil.ir.types import Array
from espdl_hil.ops._reduce import Reduction
from espdl_hil.ops.add import Add
from espdl_hil.ops.div import Div
from espdl_hil.ops.function import Function
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.reduce_mean import ReduceMean
from espdl_hil.ops.sqrt import Sqrt
from espdl_hil.passes.edit import constant_operand, only_reader, producers, readers

_SAMPLES = np.array([1.0 / 16.0, 0.25, 1.0, 4.0])


@dataclass(slots=True)
class Parts:
    """A graph that is searched for a pattern from its end; ``seen`` are the nodes on the way."""

    graph: Graph
    made: Mapping[str, Node] = field(init=False)
    by_value: Mapping[str, tuple[Node, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self.made = producers(self.graph)
        self.by_value = readers(self.graph)

    def by(self, value: str, kind: type[Operator]) -> Node | None:
        """The node of this kind that computes ``value``."""
        node = self.made.get(value)
        return node if node is not None and isinstance(node.op, kind) else None

    def constant(self, value: str) -> Array | None:
        """The elements of a constant."""
        return self.graph.constants.get(value)

    def reduction(self, value: str, kind: type[Reduction]) -> tuple[Node, tuple[int, ...]] | None:
        """A reduction that keeps its axes, and these axes, counted from 0."""
        node = self.by(value, kind)
        if node is None or not isinstance(node.op, Reduction) or not node.op.keepdims:
            return None
        axes = self.constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if axes is None or not axes.size:
            return None
        rank = len(self.graph.types[node.inputs[0]].shape)
        return node, tuple(sorted(int(axis) % rank for axis in axes.ravel()))

    def quotient(self, node: Node) -> tuple[str, str, list[Node]] | None:
        """``(a, b, nodes)`` where ``node`` computes ``a / sqrt(b)``: by Div, or by a reciprocal."""
        if isinstance(node.op, Div):
            root = self.by(node.inputs[1], Sqrt)
            return None if root is None else (node.inputs[0], root.inputs[0], [node, root])
        if not isinstance(node.op, Mul):
            return None
        for value, other in (node.inputs, node.inputs[::-1]):
            inverse = self.made.get(other)
            if inverse is not None and self._inverts(inverse):
                root = self.by(inverse.inputs[-1], Sqrt)
                if root is not None:
                    return value, root.inputs[0], [node, inverse, root]
        return None

    def _inverts(self, node: Node) -> bool:
        """Whether the node computes ``1 / x``."""
        if isinstance(node.op, Function):
            return np.array_equal(node.op.evaluate(_SAMPLES), 1.0 / _SAMPLES)
        one = self.constant(node.inputs[0]) if isinstance(node.op, Div) else None
        return one is not None and one.size == 1 and float(one.ravel()[0]) == 1.0

    def mean_square(self, value: str) -> tuple[str, float, tuple[int, ...], list[Node]] | None:
        """``(x, epsilon, axes, nodes)`` where ``value`` is ``mean(x * x) + epsilon``."""
        added = self.by(value, Add)
        operands = None if added is None else constant_operand(added, self.graph.constants)
        if added is None or operands is None:
            return None
        epsilon = self.graph.constants[operands[1]]
        mean = self.reduction(operands[0], ReduceMean)
        if epsilon.size != 1 or mean is None:
            return None
        square = self.by(mean[0].inputs[0], Mul)
        if square is None or square.inputs[0] != square.inputs[1]:
            return None
        return square.inputs[0], float(epsilon.ravel()[0]), mean[1], [added, mean[0], square]

    def scaled(self, node: Node, kind: type[Operator], inner: Sequence[int]) -> tuple[Node, Array]:
        """The Mul or Add by one constant per element of a row that alone follows ``node``.

        Returns:
            That node and the constant; ``node`` itself and an empty array where none follows.
        """
        nothing = np.zeros(0, dtype=np.float32)
        follower = only_reader(self.graph, self.by_value, node.outputs[0])
        if follower is None or not isinstance(follower.op, kind):
            return node, nothing
        operands = constant_operand(follower, self.graph.constants)
        if operands is None:
            return node, nothing
        if self.graph.types[follower.outputs[0]] != self.graph.types[node.outputs[0]]:
            return node, nothing
        array = self.graph.constants[operands[1]]
        if array.ndim > len(inner) and any(n != 1 for n in array.shape[: array.ndim - len(inner)]):
            return node, nothing
        row = array.reshape(array.shape[max(array.ndim - len(inner), 0) :])
        return follower, np.broadcast_to(row, inner).astype(np.float32)

    def private(self, nodes: Sequence[Node]) -> bool:
        """Whether nothing but ``nodes`` reads what they compute, save the result of the first."""
        names = {node.name for node in nodes}
        inner = {value for node in nodes for value in node.outputs} - {nodes[0].outputs[0]}
        if inner & set(self.graph.outputs):
            return False
        return all(
            reader.name in names for value in inner for reader in self.by_value.get(value, ())
        )


def trailing(axes: Sequence[int], rank: int) -> bool:
    """Whether the axes are the last ones."""
    return list(axes) == list(range(rank - len(axes), rank))
