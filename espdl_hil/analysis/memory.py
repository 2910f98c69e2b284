"""How much memory a model needs: parameters, activations that live at one time, test vectors.

The law of this file: a lower bound. ESP-DL places activations in one arena in the order of the
nodes; what its greedy placement loses between them, its stacks and its heap blocks come on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from espdl_hil.errors import ModelError
from espdl_hil.ir.graph import Graph
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import DType
from espdl_hil.ops import OPERATORS

_ALIGNED = 16
_BIAS_INPUT = 2


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of a model on a board, by what they hold.

    Attributes:
        parameters: weights, biases, tables, shapes; in flash, or copied to RAM.
        activations: the most that lives at one time.
        peak_node: the node at which it does; empty without nodes.
        test_vectors: only where the file carries some; never needed to run.
    """

    parameters: int
    activations: int
    peak_node: str
    test_vectors: int


def estimate_memory(model: LoweredModel | Graph, bits: int = 8) -> MemoryEstimate:
    """What a model needs.

    Args:
        model: lowered; or a float graph, which is estimated as if quantized to ``bits``.
        bits: 8 or 16; read for a graph only.
    """
    if isinstance(model, Graph):
        return _of_graph(model, bits)
    sizes = {}
    for name, info in model.values.items():
        try:
            sizes[name] = _rounded(math.prod(info.dims) * info.dtype.numpy.itemsize)
        except ModelError:
            continue  # no static shape: the board cannot run it, preflight says so
    steps = [(node.name, _views(node.op_type), node.inputs, node.outputs) for node in model.nodes]
    peak, at = _peak(steps, model.inputs, model.outputs, sizes)
    return MemoryEstimate(
        parameters=sum(_rounded(len(tensor.data)) for tensor in model.parameters.values()),
        activations=peak,
        peak_node=at,
        test_vectors=sum(len(t.data) for t in (*model.test_inputs, *model.test_outputs)),
    )


def size_text(size_bytes: int) -> str:
    """A number of bytes for people."""
    if size_bytes < 1 << 20:
        return f"{size_bytes / 1024:.0f} KiB"
    return f"{size_bytes / (1 << 20):.1f} MiB"


def _of_graph(graph: Graph, bits: int) -> MemoryEstimate:
    def itemsize(dtype: DType) -> int:
        return bits // 8 if dtype is DType.FLOAT else dtype.numpy.itemsize

    sizes = {
        name: _rounded(math.prod(kind.shape) * itemsize(kind.dtype))
        for name, kind in graph.types.items()
    }
    biases = {
        node.inputs[_BIAS_INPUT]
        for node in graph.nodes
        if node.op.traits.multiplies and len(node.inputs) > _BIAS_INPUT
    }
    # Biases are int32 beside int8 and int64 beside int16.
    parameters = sum(sizes[name] * (4 if name in biases else 1) for name in graph.constants)
    steps = [(node.name, node.op.traits.flat, node.inputs, node.outputs) for node in graph.nodes]
    activations = {name: n for name, n in sizes.items() if name not in graph.constants}
    peak, at = _peak(steps, graph.inputs, graph.outputs, activations)
    return MemoryEstimate(parameters, peak, at, 0)


def _views(op_type: str) -> bool:
    """Whether the board gives the output the memory of the input."""
    kind = OPERATORS.get(op_type)
    return kind is not None and kind.traits.flat


def _rounded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _peak(
    steps: Sequence[tuple[str, bool, Iterable[str], Iterable[str]]],
    inputs: Iterable[str],
    outputs: Iterable[str],
    sizes: Mapping[str, int],
) -> tuple[int, str]:
    """The most bytes that live at one step, and that step's name.

    A value lives from the step that computes it (graph inputs: from the start) to the last one that
    reads it; graph outputs live to the end. A view lives in the memory of its input.
    """
    owner: dict[str, str] = {}
    for _, view, given, results in steps:
        source = next((name for name in given if name in sizes), None)
        for name in results:
            shares = view and source is not None
            owner[name] = owner.get(source, source) if shares and source is not None else name
    last = dict.fromkeys((owner.get(name, name) for name in outputs), len(steps))
    for index, (_, _, given, _) in enumerate(steps):
        for name in given:
            held = owner.get(name, name)
            last[held] = max(last.get(held, index), index)
    alive = {name for name in inputs if name in sizes}
    peak, at = sum(sizes[name] for name in alive), ""
    for index, (step, _, _, results) in enumerate(steps):
        alive.update(held for name in results if (held := owner[name]) in sizes)
        needed = sum(sizes[name] for name in alive)
        if needed > peak or not at:
            peak, at = max(peak, needed), step
        alive = {name for name in alive if last.get(name, index) > index}
    return peak, at
