"""Turn an interpolating Resize that ESP-DL has no kernel for into a matrix product along each axis.

Before::

    y = Resize(x, mode=linear)              (x: [1, C, H, W])

After::

    t = Reshape(x, [C * H, W]);  u = Gemm(t, weights of columns);  v = Transpose(Reshape(u))
    w = Reshape(v, [C * W', H]);  z = Gemm(w, weights of rows);    y = Transpose(Reshape(z))

The kernel for linear is an empty function in int16, and knows two coordinate transformations; there
is none for cubic. Products round once along each axis, and take any transformation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import Operator
from espdl_hil.ops._interpolation import COORDINATES, Interpolation
from espdl_hil.ops.gemm import Gemm
from espdl_hil.ops.reshape import Reshape
from espdl_hil.ops.resize import Resize
from espdl_hil.ops.transpose import Transpose
from espdl_hil.passes.edit import Draft


def resize_to_product(graph: Graph, bits: int) -> Graph:
    """The graph with each interpolating Resize that ``bits`` has no kernel for as products."""
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Resize) or node.op.mode == "nearest":
            continue
        x, y = (graph.types[value].shape for value in (node.inputs[0], node.outputs[0]))
        if x[:2] != y[:2] or x[0] != 1 or node.op.coordinate_transformation_mode not in COORDINATES:
            continue
        if not node.op.has_kernel(bits, x, y):
            draft.replace(node, *_products(draft, node, node.op))
    return draft.graph()


def _products(draft: Draft, node: Node, op: Resize) -> list[Node]:
    result = draft.types[node.outputs[0]].shape
    value, shape = node.inputs[0], draft.types[node.inputs[0]].shape
    rank = len(shape)
    scales = _scales(draft, node)
    how = Interpolation(
        op.mode,
        op.coordinate_transformation_mode,
        op.cubic_coeff_a,
        bool(op.exclude_outside),
    )
    nodes: list[Node] = []

    def step(
        kind: type[Operator],
        label: str,
        inputs: tuple[str, ...],
        to: tuple[int, ...],
        **given: int | Sequence[int],
    ) -> str:
        attributes = {key: Attribute.of(item) for key, item in given.items()}
        nodes.append(draft.step(kind, f"{node.name}/{label}", inputs, to, attributes))
        return nodes[-1].outputs[0]

    def reshape(label: str, value: str, to: tuple[int, ...]) -> str:
        target = draft.add_constant(f"{node.name}/{label}/shape", np.array(to, dtype=np.int64))
        return step(Reshape, label, (value, target), to, allowzero=0)

    # Each turn takes the last axis, and puts the result behind the channels.
    for axis in range(rank - 1, 1, -1):
        wide = result[axis]
        matrix = how.matrix(wide, shape[-1], scales[axis]).T.astype(np.float32)
        label = f"axis_{axis}"
        rows = int(np.prod(shape[:-1]))
        flat = reshape(f"{label}/rows", value, (rows, shape[-1]))
        weights = draft.add_constant(f"{node.name}/{label}/weights", matrix)
        blended = step(Gemm, label, (flat, weights), (rows, wide))
        full = (*shape[:-1], wide)
        value = reshape(f"{label}/axes", blended, full)
        if rank == 4:
            perm = (0, 1, 3, 2)
            shape = tuple(full[place] for place in perm)
            value = step(Transpose, f"{label}/turned", (value,), shape, perm=perm)
        else:
            shape = full
    last = nodes.pop()
    return [*nodes, Node(node.name, last.op, last.inputs, node.outputs)]


def _scales(draft: Draft, node: Node) -> list[float]:
    """The scale of every axis: what the model says, or the ratio of the sizes."""
    given = draft.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if given is not None and given.size:
        return [float(scale) for scale in given.ravel()]
    x, y = (draft.types[value].shape for value in (node.inputs[0], node.outputs[0]))
    return [n / m for n, m in zip(y, x, strict=True)]
