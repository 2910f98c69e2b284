"""Remove Identity nodes.

Before::

    t = Relu(x)
    u = Identity(t)
    y = MaxPool(u)

After::

    t = Relu(x)
    y = MaxPool(t)

An Identity that connects a graph input or a value with other readers to a graph output stays: the
output keeps its name.
"""

from __future__ import annotations

from dataclasses import replace

from espdl_hil.ir.graph import Graph
from espdl_hil.ops.identity import Identity
from espdl_hil.passes.edit import Draft, only_reader, producers, readers


def drop_identity(graph: Graph) -> Graph:
    """The graph without the Identity nodes that can go."""
    draft = Draft(graph)
    made_by = producers(graph)
    by_value = readers(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Identity):
            continue
        given, result = node.inputs[0], node.outputs[0]
        if result not in graph.outputs:
            draft.replace(node)
            draft.alias(result, given)
            continue
        producer = made_by.get(given)
        if producer is None or isinstance(producer.op, Identity):
            continue
        if only_reader(graph, by_value, given) is None:
            continue
        outputs = tuple(result if value == given else value for value in producer.outputs)
        draft.replace(producer, replace(producer, outputs=outputs))
        draft.replace(node)
    return draft.graph()
