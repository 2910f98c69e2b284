"""Turn the mean over all places of an image into GlobalAveragePool.

Before::

    y = ReduceMean(x, axes=[2, 3], keepdims=0)

After::

    t = GlobalAveragePool(x)
    y = Reshape(t, [1, channels])

The pool takes an image as convolutions leave it, channels last. It runs after the fusion of
normalizations, which are made of means too.
"""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.global_average_pool import GlobalAveragePool
from espdl_hil.ops.reduce_mean import ReduceMean
from espdl_hil.ops.reshape import Reshape
from espdl_hil.passes.edit import Draft


def mean_to_pool(graph: Graph) -> Graph:
    """The graph with each mean over axes 2 and up of an image as a pool."""
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.op, ReduceMean) or len(node.inputs) < 2 or not node.inputs[1]:
            continue
        x, y = node.inputs[0], node.outputs[0]
        rank = len(graph.types[x].shape)
        axes = sorted(int(axis) % rank for axis in graph.constants[node.inputs[1]].ravel())
        if rank not in (3, 4) or axes != list(range(2, rank)):
            continue
        op = GlobalAveragePool.from_attributes(Attributes(node.name, GlobalAveragePool.op_type, {}))
        if node.op.keepdims:
            draft.replace(node, Node(node.name, op, (x,), (y,)))
            continue
        shape = graph.types[y].shape
        pooled = draft.add_value(f"{node.name}/pooled", like=y, shape=(*shape, *(1,) * (rank - 2)))
        target = draft.add_constant(f"{node.name}/shape", np.array(shape, dtype=np.int64))
        attributes = {"allowzero": Attribute.of(0)}
        reshape = Reshape.from_attributes(Attributes(node.name, Reshape.op_type, attributes))
        draft.replace(
            node,
            Node(draft.free_node(f"{node.name}/pool"), op, (x,), (pooled,)),
            Node(node.name, reshape, (pooled, target), (y,)),
        )
    return draft.graph()
