"""How long a board may be silent over one node: an upper bound from the node's work.

The law of this file: a guess here decides only when a silent board counts as dead, never a result.
Chips say ALIVE from another task while a node computes; the runner's program and the emulated board
have one thread and say it between nodes only.
"""

from __future__ import annotations

import math

from espdl_hil import espdl
from espdl_hil.errors import EspdlHilError
from espdl_hil.ir.lowered import LoweredModel, LoweredNode

SLOWEST_MACS_PER_S = 1e6
"""Less than the emulated board does on a busy machine: some 5 to 10 million."""
_ELEMENT_MACS = 16
"""What an element costs where no filter is multiplied: rounding, tables, a division."""


def longest_silence_s(model: LoweredModel) -> float:
    """Return how long the slowest board may take for the largest node of ``model``."""
    work = max((_work(model, node) for node in model.nodes), default=0)
    return work / SLOWEST_MACS_PER_S


def silence_of_file_s(data: bytes) -> float:
    """Return ``longest_silence_s`` of an ``.espdl`` file; 0 where it cannot be read.

    What a file is worth is for the board to say: a broken one is sent like any other.
    """
    try:
        return longest_silence_s(espdl.read(data))
    except EspdlHilError:
        return 0.0


def _work(model: LoweredModel, node: LoweredNode) -> int:
    outputs, inputs = _shapes(model, node.outputs), _shapes(model, node.inputs)
    written = max((math.prod(dims) for dims in outputs), default=0)
    read = max((math.prod(dims) for dims in inputs), default=0)
    parameters = [model.parameters[name] for name in node.inputs if name in model.parameters]
    # A bias has one dimension.
    weights = max((math.prod(one.dims) for one in parameters if len(one.dims) > 1), default=0)
    # Each output element meets the weights of its channel, the last dimension (NHWC); where two
    # activations are multiplied, a row of one of them, at most its last dimension.
    if weights:
        products = written * weights // max(1, next((dims[-1] for dims in outputs if dims), 1))
    elif len(inputs) > 1:
        products = written * max((dims[-1] for dims in inputs if dims), default=1)
    else:
        products = 0
    return products + _ELEMENT_MACS * max(written, read)


def _shapes(model: LoweredModel, names: tuple[str, ...]) -> list[tuple[int, ...]]:
    """The shapes of those that are values; optional inputs and outputs are left out by ``""``."""
    return [model.values[name].dims for name in names if name and name in model.values]
