"""GRU and LSTM as the board takes them: every input and output there, one sample, two directions.

Before::

    y, y_h = GRU(x, w, r, b)

After::

    y, y_h = GRU(x, w, r, b, , zeros)

The board indexes all outputs and the initial states, whether a model names them or not. It knows
no direction "reverse": the sequence is turned round by a Slice before the layer, and its result
behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError, UnsupportedAttributeError
from espdl_hil.frontend.moves import reshaped
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.frontend.unrolled import gru_reset_first
from espdl_hil.frontend.unrolled import rnn as plain_rnn
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ops.slice import Slice

_BIAS, _LENGTHS, _STATE, _CELL, _PEEPHOLES = 3, 4, 5, 6, 7


def gru(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one GRU; see the file's head."""
    if not node.typed(scope.opset).integer("linear_before_reset", 0):
        _refuse(node, scope, None)
        return gru_reset_first(node, scope)
    return _complete(node, scope, gates=3, functions=("Sigmoid", "Tanh"), outputs=2)


def lstm(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one LSTM; see the file's head."""
    return _complete(node, scope, gates=4, functions=("Sigmoid", "Tanh", "Tanh"), outputs=3)


def rnn(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """The nodes for one RNN, which ESP-DL has not."""
    _refuse(node, scope, None)
    return plain_rnn(node, scope)


def _complete(
    node: OnnxNode, scope: Scope, *, gates: int, functions: tuple[str, ...], outputs: int
) -> Sequence[OnnxNode]:
    read = node.typed(scope.opset)
    hidden = read.integer("hidden_size")
    direction = read.text("direction", "forward")
    both = direction == "bidirectional"
    directions = 2 if both else 1
    _refuse(node, scope, functions * directions)
    inputs = [*node.inputs, *[""] * (_PEEPHOLES - len(node.inputs))]
    for index in (1, 2):
        scope.constant(node, index)
    if inputs[_BIAS]:
        scope.constant(node, _BIAS)
    else:
        zeros = np.zeros((directions, 2 * gates * hidden), dtype=np.float32)
        inputs[_BIAS] = scope.add_constant(f"{node.name}/bias", zeros)
    states = (_STATE, _CELL)[: outputs - 1]
    inputs[_LENGTHS] = ""
    for index in states:
        if not inputs[index]:
            zeros = np.zeros((directions, 1, hidden), dtype=np.float32)
            inputs[index] = scope.add_constant(f"{node.name}/initial_{index}", zeros)
    x = node.inputs[0]
    layout = read.integer("layout", 0)
    steps = scope.shape(node, x)[1 if layout else 0]
    shapes = [(steps, directions, 1, hidden), *[(directions, 1, hidden)] * (outputs - 1)]
    nodes: list[OnnxNode] = []
    after: list[OnnxNode] = []
    if layout:
        # One sample: time first and batch first are the same bytes.
        turned = scope.add_value(
            f"{node.name}/x", like=x, shape=(steps, 1, scope.shape(node, x)[2])
        )
        nodes.append(reshaped(f"{node.name}/time_first", scope, x, turned))
        inputs[0] = turned
        for index in states:
            if scope.shape(node, inputs[index]) == (directions, 1, hidden):
                continue
            name = f"{node.name}/initial_{index}"
            if inputs[index] in scope.constants:
                state = scope.constants[inputs[index]].reshape(directions, 1, hidden)
                inputs[index] = scope.add_constant(name, state)
            else:
                moved = scope.add_value(name, like=x, shape=(directions, 1, hidden))
                nodes.append(reshaped(f"{name}/reshape", scope, inputs[index], moved))
                inputs[index] = moved
    backwards = direction == "reverse"
    if backwards:
        inputs[0] = scope.add_value(
            f"{node.name}/backwards", like=x, shape=(steps, 1, scope.shape(node, x)[2])
        )
        source = turned if layout else x
        nodes.append(_turned_round(f"{node.name}/turn", scope, source, inputs[0]))
    given = [*node.outputs, *[""] * (outputs - len(node.outputs))]
    results: list[str] = []
    for index, (value, shape) in enumerate(zip(given, shapes, strict=True)):
        if value and not layout and not (backwards and index == 0):
            results.append(value)
            continue
        results.append(scope.add_value(f"{node.name}/output_{index}", like=x, shape=shape))
        if not value:
            continue
        found = results[-1]
        if backwards and index == 0:
            to = scope.add_value(f"{node.name}/forwards", like=x, shape=shape) if layout else value
            after.append(_turned_round(f"{node.name}/turn_back", scope, found, to))
            found = to
        if layout:
            after.append(reshaped(f"{node.name}/batch_first_{index}", scope, found, value))
    attributes = {
        "direction": Attribute.of("bidirectional" if both else "forward"),
        "hidden_size": Attribute.of(hidden),
    }
    if gates == 3:
        linear = read.integer("linear_before_reset", 0)
        attributes["linear_before_reset"] = Attribute.of(linear)
    attributes["gate_exponent"] = Attribute.of(-9)
    last = _STATE + len(states)
    return (
        *nodes,
        OnnxNode(node.name, node.op_type, tuple(inputs[:last]), tuple(results), attributes),
        *after,
    )


def _turned_round(name: str, scope: Scope, given: str, result: str) -> OnnxNode:
    """``given`` with its time steps (axis 0) from the last to the first."""
    bounds = tuple(
        scope.add_constant(f"{name}/{label}", np.array([number], dtype=np.int64))
        for label, number in (("starts", -1), ("ends", -(2**31)), ("axes", 0), ("steps", -1))
    )
    return OnnxNode(name, Slice.op_type, (given, *bounds), (result,))


def _lower(names: Attribute | Sequence[str]) -> list[str]:
    """Names of functions, which ONNX compares without case."""
    given = names.value if isinstance(names, Attribute) else names
    return [str(name).lower() for name in given]  # type: ignore[union-attr]


def _refuse(node: OnnxNode, scope: Scope, functions: tuple[str, ...] | None) -> None:
    """Refuse what the board's layers do not have; ``None`` leaves the functions to others."""
    read = node.typed(scope.opset)
    x = scope.shape(node, node.inputs[0])
    layout = read.integer("layout", 0)
    if x[0 if layout else 1] != 1:
        raise ModelError(
            f"{node.op_type} of {x[0 if layout else 1]} samples",
            node=node.name,
            hint="the board computes one sample: export with batch 1",
        )
    named = node.attributes.get("activations")
    if functions is not None and named is not None and _lower(named) != _lower(functions):
        raise UnsupportedAttributeError(
            "activations", named.value, ", ".join(functions), node=node.name
        )
    if "clip" in node.attributes:
        raise UnsupportedAttributeError("clip", read.number("clip"), "no clipping", node=node.name)
    peepholes = node.inputs[_PEEPHOLES] if len(node.inputs) > _PEEPHOLES else ""
    if peepholes and np.any(scope.constant(node, _PEEPHOLES)):
        raise ModelError("peephole weights", node=node.name, hint="the board has none")
    if len(node.inputs) > _LENGTHS and node.inputs[_LENGTHS]:
        steps = x[1 if layout else 0]
        lengths = scope.constants.get(node.inputs[_LENGTHS])
        if lengths is None or (lengths != steps).any():
            raise ModelError(
                "sequence lengths other than the whole input",
                node=node.name,
                hint="the board always runs all time steps",
            )
