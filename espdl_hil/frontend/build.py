"""Writing several nodes in the place of one: names, values and shapes of what a rewriting adds.

The law of this file: it knows only operators that move elements; every name follows from the name
of the node replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ops.gather import Gather
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.reshape import Reshape
from espdl_hil.ops.slice import Slice
from espdl_hil.ops.transpose import Transpose

AttributeLike = int | float | str | Sequence[int] | Sequence[float]


@dataclass(slots=True)
class Steps:
    """The nodes that replace ``node``, in order.

    Attributes:
        node: what is replaced.
        scope: where new values and constants go.
        nodes: written so far.
    """

    node: OnnxNode
    scope: Scope
    nodes: list[OnnxNode] = field(default_factory=list)

    def shape(self, value: str) -> tuple[int, ...]:
        """The shape of a value, new or old."""
        return self.scope.shape(self.node, value)

    def constant(self, label: str, array: npt.ArrayLike) -> str:
        """A new constant; Python floats become float32, Python integers int64."""
        data = np.asarray(array)
        if data.dtype == np.float64:
            data = data.astype(np.float32)
        return self.scope.add_constant(f"{self.node.name}/{label}", data)

    def do(
        self,
        kind: str,
        label: str,
        inputs: Sequence[str],
        shape: Sequence[int] | None = None,
        **attributes: AttributeLike,
    ) -> str:
        """One more node; its result.

        Args:
            kind: ONNX operator name.
            label: what the node is called behind the name of the replaced one.
            inputs: values.
            shape: of the result; by default what broadcasting the inputs gives.
            attributes: of the node.
        """
        if shape is None:
            shape = np.broadcast_shapes(*(self.shape(value) for value in inputs if value))
        name = f"{self.node.name}/{label}"
        result = self.scope.add_value(name, like=self.node.outputs[0] or inputs[0], shape=(*shape,))
        self.nodes.append(OnnxNode(name, kind, (*inputs,), (result,), _typed(attributes)))
        return result

    def end(
        self, kind: str, inputs: Sequence[str], output: int = 0, **attributes: AttributeLike
    ) -> Sequence[OnnxNode]:
        """The node that gives an output of the replaced one; all nodes so far."""
        name = self.node.name if output == 0 else f"{self.node.name}/{output}"
        self.nodes.append(
            OnnxNode(name, kind, (*inputs,), (self.node.outputs[output],), _typed(attributes))
        )
        return self.nodes

    def reshape(self, label: str, value: str, shape: Sequence[int]) -> str:
        """``value`` in another shape; itself where it has that shape."""
        if self.shape(value) == (*shape,):
            return value
        target = self.constant(f"{label}/shape", np.array(shape, dtype=np.int64))
        return self.do(Reshape.op_type, label, (value, target), shape)

    def transpose(self, label: str, value: str, perm: Sequence[int]) -> str:
        """``value`` with its axes in another order; itself where that is the order it has."""
        if list(perm) == sorted(perm):
            return value
        given = self.shape(value)
        return self.do(
            Transpose.op_type, label, (value,), [given[axis] for axis in perm], perm=perm
        )

    def gather(self, label: str, value: str, axis: int, indices: Sequence[int]) -> str:
        """The elements of ``value`` at these places of one axis; itself where that is all of it."""
        given = self.shape(value)
        if list(indices) == list(range(given[axis])):
            return value
        places = self.constant(f"{label}/indices", np.array(indices, dtype=np.int64))
        shape = (*given[:axis], len(indices), *given[axis + 1 :])
        return self.do(Gather.op_type, label, (value, places), shape, axis=axis)

    def cut(self, label: str, value: str, axis: int, start: int, end: int) -> str:
        """The elements of ``value`` from ``start`` to before ``end`` of one axis."""
        given = self.shape(value)
        if (start, end) == (0, given[axis]):
            return value
        bounds = [
            self.constant(f"{label}/{name}", np.array([number], dtype=np.int64))
            for name, number in (("starts", start), ("ends", end), ("axes", axis))
        ]
        shape = (*given[:axis], end - start, *given[axis + 1 :])
        return self.do(Slice.op_type, label, (value, *bounds), shape)

    def expand(self, label: str, value: str, shape: Sequence[int]) -> str:
        """``value`` broadcast to ``shape``: a reshape, then each element as often as it is needed.

        A constant is expanded here and now.
        """
        if value in self.scope.constants:
            if self.shape(value) == (*shape,):
                return value
            return self.constant(label, np.broadcast_to(self.scope.constants[value], shape))
        given = self.shape(value)
        value = self.reshape(f"{label}/aligned", value, (1,) * (len(shape) - len(given)) + given)
        for axis, (have, want) in enumerate(zip(self.shape(value), shape, strict=True)):
            if have != want:
                value = self.gather(f"{label}/{axis}", value, axis, [0] * want)
        return value

    def finish(self, value: str, output: int = 0) -> Sequence[OnnxNode]:
        """Give ``value`` as an output of the replaced node, in that output's shape."""
        shape = self.shape(self.node.outputs[output])
        if self.shape(value) == shape:
            return self.end(Identity.op_type, (value,), output)
        target = self.constant(f"output_{output}/shape", np.array(shape, dtype=np.int64))
        return self.end(Reshape.op_type, (value, target), output)


def _typed(attributes: Mapping[str, AttributeLike]) -> Mapping[str, Attribute]:
    return {name: Attribute.of(value) for name, value in attributes.items()}
