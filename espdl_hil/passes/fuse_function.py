"""Recognize a function of one value, however it is written.

Before::

    e = Erf(Mul(x, 0.7071))                    p = Softplus(x)
    y = Mul(Mul(x, Add(e, 1)), 0.5)            y = Mul(x, Tanh(p))

After::

    y = Gelu(x)                                y = Function(x)

Whatever elementwise operators on one value and constants compute is a function of that value; how
its factors are ordered does not matter. If it is a function that the board has (Gelu in both forms,
HardSwish, HardSigmoid, Swish, Sigmoid, Relu), it becomes that; else, if a step has no kernel, all
of it becomes one table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.graph import Graph, Node
from espdl_hil.ir.operator import Operator
from espdl_hil.ir.types import DType
from espdl_hil.ops._formulas import COMPANIONS
from espdl_hil.ops._visitor import Where
from espdl_hil.ops.function import Function, Step, parameters_of
from espdl_hil.ops.gelu import Gelu
from espdl_hil.ops.hard_sigmoid import HardSigmoid
from espdl_hil.ops.hard_swish import HardSwish
from espdl_hil.ops.relu import Relu
from espdl_hil.ops.sigmoid import Sigmoid
from espdl_hil.ops.swish import Swish
from espdl_hil.passes.edit import Draft, producers

_TAILS = (20.5, 33.0, 60.0, 100.0, 1000.0)
_GRID = np.concatenate([np.negative(_TAILS[::-1]), np.linspace(-12.0, 12.0, 1537), _TAILS])
_TOLERANCE = 2e-6
_LONGEST = 16


def _known() -> Iterator[Operator]:
    """The functions to recognize."""
    for kind, attributes in (
        (Gelu, {"approximate": Attribute.of("none")}),
        (Gelu, {"approximate": Attribute.of("tanh")}),
        (HardSwish, {}),
        (HardSigmoid, {"alpha": Attribute.of(float(np.float32(1 / 6)))}),
        (Swish, {}),
        (Sigmoid, {}),
        (Relu, {}),
    ):
        yield kind.from_attributes(Attributes("", kind.op_type, attributes))


def fuse_function(graph: Graph) -> Graph:
    """The graph with every recognizable function of one value as one node."""
    while True:
        fused = _fuse_once(graph)
        if fused is graph:
            return graph
        graph = fused


def _fuse_once(graph: Graph) -> Graph:
    sources = _sources(graph)
    made = producers(graph)
    for node in reversed(graph.nodes):
        if not _elementwise(graph, node) or graph.types[node.outputs[0]].dtype is not DType.FLOAT:
            continue
        result = node.outputs[0]
        for source in sources[result][-2::-1]:
            region = _region(graph, made, source, result)
            if region is None:
                break
            op = _name(graph, region, source)
            if op is not None:
                return _fused(graph, region, Node(node.name, op, (source,), (result,)))
    return graph


def _elementwise(graph: Graph, node: Node) -> bool:
    """Whether each result is a function of the values at one place; constants are scalars."""
    if not isinstance(node.op, Function) and node.op.op_type not in COMPANIONS:
        return False
    shape = graph.types[node.outputs[0]].shape
    return all(
        graph.constants[value].size == 1
        if value in graph.constants
        else graph.types[value].shape == shape
        for value in node.inputs
        if value
    )


def _sources(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """For each value the values that it is a function of, farthest first, itself last."""
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in graph.inputs}
    for node in graph.nodes:
        given = [v for v in dict.fromkeys(node.inputs) if v and v not in graph.constants]
        common: tuple[str, ...] = ()
        if given and _elementwise(graph, node):
            common = tuple(v for v in found[given[0]] if all(v in found[o] for o in given[1:]))
        for value in node.outputs:
            found[value] = (*common, value)
    return found


def _region(
    graph: Graph, made: Mapping[str, Node], source: str, result: str
) -> tuple[Node, ...] | None:
    """The nodes between two values; ``None`` where others read inner values, or too many."""
    inside: dict[str, Node] = {}
    waiting = [result]
    while waiting:
        value = waiting.pop()
        if value == source or value in graph.constants or not value:
            continue
        node = made[value]
        if node.name not in inside:
            inside[node.name] = node
            waiting += node.inputs
    if len(inside) > _LONGEST:
        return None
    inner = {value for node in inside.values() for value in node.outputs} - {result}
    if inner & set(graph.outputs):
        return None
    if any(inner & set(node.inputs) for node in graph.nodes if node.name not in inside):
        return None
    return tuple(node for node in graph.nodes if node.name in inside)


def _name(graph: Graph, region: tuple[Node, ...], source: str) -> Operator | None:
    """What the region computes, as one operator; ``None`` where it shall stay as it is."""
    if len(region) == 1:
        return None
    function = _composed(graph, region, source)
    values = function.evaluate(_GRID)
    with np.errstate(all="ignore"):
        for op in _known():
            wanted = op.evaluate(_GRID.astype(np.float32)).astype(np.float64)
            if np.all(np.abs(values - wanted) <= _TOLERANCE * (1.0 + np.abs(_GRID))):
                return op
    if any(isinstance(node.op, (Function, Where)) for node in region):
        return function
    return None


def _composed(graph: Graph, region: tuple[Node, ...], source: str) -> Function:
    """The region as steps."""
    index: dict[str, int] = {source: 0}
    steps: list[Step] = []
    for node in region:
        operands = tuple(
            None
            if not value
            else float(graph.constants[value].ravel()[0])
            if value in graph.constants
            else index[value]
            for value in node.inputs
        )
        if isinstance(node.op, Function):
            # Its argument becomes operand 0 here; its own results follow those so far.
            base = len(steps)
            for step in node.op.steps:
                moved = tuple(
                    operands[0]
                    if given == 0 and isinstance(given, int)
                    else given + base
                    if isinstance(given, int)
                    else given
                    for given in step.operands
                )
                steps.append(Step(step.kind, moved, step.parameters))
        else:
            parameters = parameters_of(node.op.to_attributes())
            steps.append(Step(node.op.op_type, operands, parameters))
        index[node.outputs[0]] = len(steps)
    return Function(tuple(steps))


def _fused(graph: Graph, region: tuple[Node, ...], node: Node) -> Graph:
    draft = Draft(graph)
    for old in region:
        draft.replace(old)
    draft.replace(region[-1], node)
    return draft.graph()
