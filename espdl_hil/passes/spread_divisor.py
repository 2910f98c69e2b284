"""Give Div operands of more than one element in int8.

Before::

    y = Div(x, d)                    (d: one value computed at run time)

After::

    t = Gather(d, [0, 0, …]) …       (as many as x has)
    y = Div(x, t)

ESP-DL's int8 kernel makes a table of quotients by a single operand in the first run, and keeps it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ops.div import Div
from espdl_hil.passes.edit import Draft
from espdl_hil.passes.repeat_by_gather import repeated


def spread_divisor(graph: Graph, bits: int) -> Graph:
    """The graph with what int8 divisions take from a single value spread over the other's shape."""
    if bits != 8:
        return graph
    draft = Draft(graph)
    for node in graph.nodes:
        shape = graph.types[node.outputs[0]].shape
        if not isinstance(node.op, Div) or int(np.prod(shape)) == 1:
            continue
        inputs, before = list(node.inputs), list[Node]()
        for index, value in enumerate(node.inputs):
            if value in graph.constants or int(np.prod(graph.types[value].shape)) != 1:
                continue
            name = f"{node.name}/spread_{index}"
            inputs[index] = draft.add_value(name, like=value, shape=shape)
            before += repeated(draft, draft.free_node(name), value, inputs[index])
        if before:
            draft.replace(node, *before, replace(node, inputs=tuple(inputs)))
    return draft.graph()
