"""Recurrent layers that ESP-DL has no kernel for, written out step by step.

Before::

    y, y_h = RNN(x, w, r, b)

After::

    p = Gemm(x, w, b)                                 (all steps at once)
    h1 = Tanh(Add(p[0], Gemm(h0, r)));  h2 = Tanh(Add(p[1], Gemm(h1, r)));  …
    y = Concat(h1, h2, …)

So run RNN, and GRU with ``linear_before_reset=0``. Each step has its own exponents, and its own
copy of the weights: the runtime builds a parameter anew for every node that names it, and forgets
to free all but the last (esp-dl 12c0616 dl_model_context.cpp ``ModelContext::add_tensor``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from espdl_hil.errors import ModelError, UnsupportedAttributeError
from espdl_hil.frontend.build import Steps
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.types import Floats
from espdl_hil.ops.add import Add
from espdl_hil.ops.concat import Concat
from espdl_hil.ops.gemm import Gemm
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.relu import Relu
from espdl_hil.ops.sigmoid import Sigmoid
from espdl_hil.ops.sub import Sub
from espdl_hil.ops.tanh import Tanh

_LONGEST = 64
_BIAS, _STATE = 3, 5
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Weights:
    """One direction's weights ``[inputs, gates * hidden]`` and ``[hidden, …]``, and biases."""

    w: Floats
    r: Floats
    w_bias: Floats
    r_bias: Floats


def rnn(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one RNN; see the file's head."""
    return _unrolled(node, scope, gates=1)


def gru_reset_first(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one GRU whose reset gate works before the product; see the file's head."""
    return _unrolled(node, scope, gates=3)


def _unrolled(node: OnnxNode, scope: Scope, gates: int) -> Sequence[OnnxNode]:
    read = node.typed(scope.opset)
    hidden = read.integer("hidden_size")
    direction = read.text("direction", "forward")
    ways = {"forward": (1,), "reverse": (-1,), "bidirectional": (1, -1)}[direction]
    steps = Steps(node, scope)
    layout = read.integer("layout", 0)
    x = node.inputs[0]
    shape = steps.shape(x)
    times, size = shape[1 if layout else 0], shape[2]
    if times > _LONGEST:
        raise ModelError(
            f"{node.op_type} over {times} time steps: ESP-DL has no kernel for it, and written out "
            f"step by step it may have {_LONGEST}",
            node=node.name,
            hint="use LSTM, or GRU with linear_before_reset=1 (torch's), which ESP-DL has",
        )
    _LOG.warning("node %r: %s becomes %d steps of its own", node.name, node.op_type, times)
    functions = _functions(node, len(ways), gates)
    rows = steps.reshape("rows", x, (times, size))
    sequences: list[list[str]] = []
    for number, way in enumerate(ways):
        weights = _weights(node, scope, number, gates * hidden)
        function = functions[number]
        state = _initial(steps, number, len(ways), hidden)
        label = f"way_{number}"
        # What no product with the state comes between goes into the first bias.
        bias = weights.w_bias + weights.r_bias
        projected = _affine(steps, f"{label}/input", rows, weights.w, bias)
        states: list[str] = []
        for time in range(times)[::way]:
            given = steps.cut(f"{label}/{time}", projected, 0, time, time + 1)
            one = (steps, f"{label}/{time}", given, state, weights.r, function)
            state = _gru_step(*one) if gates == 3 else _rnn_step(*one)
            states.append(state)
        sequences.append(states[::way])
    last = [states[-1 if way == 1 else 0] for states, way in zip(sequences, ways, strict=True)]
    if node.outputs[0]:
        wide = [states[0] for states in zip(*sequences, strict=True)]
        if len(ways) == 2:
            wide = [
                steps.do(Concat.op_type, f"both/{time}", pair, (1, 2 * hidden), axis=1)
                for time, pair in enumerate(zip(*sequences, strict=True))
            ]
        whole = _joined(steps, "whole", wide, (times, len(ways) * hidden))
        steps.finish(whole)
    if len(node.outputs) > 1 and node.outputs[1]:
        steps.finish(_joined(steps, "last", last, (len(ways), hidden)), 1)
    return steps.nodes


def _joined(steps: Steps, label: str, values: Sequence[str], shape: Sequence[int]) -> str:
    if len(values) == 1:
        return values[0]
    return steps.do(Concat.op_type, label, values, shape, axis=0)


def _affine(steps: Steps, label: str, x: str, weights: Floats, bias: Floats | None) -> str:
    if x in steps.scope.constants:
        product = steps.scope.constants[x].astype(np.float64) @ weights
        return steps.constant(label, product if bias is None else product + bias)
    inputs = [x, steps.constant(f"{label}/weights", weights)]
    if bias is not None:
        inputs.append(steps.constant(f"{label}/bias", bias))
    shape = (steps.shape(x)[0], weights.shape[1])
    return steps.do(Gemm.op_type, label, inputs, shape, alpha=1.0, beta=1.0, transA=0, transB=0)


def _rnn_step(
    steps: Steps, label: str, given: str, state: str, weights: Floats, functions: Sequence[str]
) -> str:
    """``f(given + state @ weights)``."""
    product = _affine(steps, f"{label}/state", state, weights, None)
    total = steps.do(Add.op_type, f"{label}/sum", (given, product))
    return steps.do(functions[0], f"{label}/h", (total,))


def _gru_step(
    steps: Steps, label: str, given: str, state: str, weights: Floats, functions: Sequence[str]
) -> str:
    """``z * h + (1 - z) * n``, where ``n`` sees the state after the reset gate."""
    hidden = weights.shape[0]

    def gate(name: str, first: int, seen: str, function: str) -> str:
        columns = slice(first * hidden, (first + 1) * hidden)
        part = steps.cut(f"{label}/{name}/given", given, 1, columns.start, columns.stop)
        product = _affine(steps, f"{label}/{name}/state", seen, weights[:, columns], None)
        total = steps.do(Add.op_type, f"{label}/{name}/sum", (part, product))
        return steps.do(function, f"{label}/{name}", (total,))

    z = gate("z", 0, state, functions[0])
    r = gate("r", 1, state, functions[0])
    seen = steps.do(Mul.op_type, f"{label}/reset", (r, state))
    n = gate("n", 2, seen, functions[1])
    kept = steps.do(Sub.op_type, f"{label}/change", (state, n))
    kept = steps.do(Mul.op_type, f"{label}/kept", (z, kept))
    return steps.do(Add.op_type, f"{label}/h", (n, kept))


def _weights(node: OnnxNode, scope: Scope, number: int, width: int) -> _Weights:
    w, r = (scope.constant(node, index)[number].astype(np.float32).T for index in (1, 2))
    both = np.zeros(2 * width, dtype=np.float32)
    if len(node.inputs) > _BIAS and node.inputs[_BIAS]:
        both = scope.constant(node, _BIAS)[number].astype(np.float32)
    return _Weights(w, r, both[:width], both[width:])


def _initial(steps: Steps, number: int, ways: int, hidden: int) -> str:
    given = steps.node.inputs[_STATE] if len(steps.node.inputs) > _STATE else ""
    label = f"initial_{number}"
    if not given:
        return steps.constant(label, np.zeros((1, hidden), dtype=np.float32))
    if given in steps.scope.constants:
        return steps.constant(
            label, steps.scope.constants[given].reshape(ways, hidden)[number : number + 1]
        )
    rows = steps.reshape("initial", given, (ways, hidden))
    return steps.cut(label, rows, 0, number, number + 1)


def _functions(node: OnnxNode, ways: int, gates: int) -> list[list[str]]:
    """The activation functions of each direction."""
    usual = [Tanh.op_type] if gates == 1 else [Sigmoid.op_type, Tanh.op_type]
    named = node.attributes.get("activations")
    if named is None:
        return [usual] * ways
    known = {name.lower(): name for name in (Tanh.op_type, Sigmoid.op_type, Relu.op_type)}
    given = [str(name).lower() for name in named.value]  # type: ignore[union-attr]
    if len(given) != ways * len(usual) or any(name not in known for name in given):
        raise UnsupportedAttributeError(
            "activations", named.value, "Tanh, Sigmoid, Relu", node=node.name
        )
    count = len(usual)
    return [[known[f] for f in given[way * count : (way + 1) * count]] for way in range(ways)]
