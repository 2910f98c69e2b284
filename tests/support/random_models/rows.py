"""Operators that combine many elements into few: reductions, softmax, norms, recurrent layers."""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import DType
from espdl_hil.targets import Target
from tests.support.random_models.model import (
    FLOAT,
    Family,
    RandomModel,
    dtype_of,
    elements,
    exponent_of,
    index_tensor,
    many_outputs,
    one_node,
    perhaps_float,
    some_shape,
)

_REDUCTIONS = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
)
_RAW = ("ReduceMax", "ReduceMin")


def reduction(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Any reduction along any axes, kept or dropped."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(_REDUCTIONS))
    shape = some_shape(rng, 1, 5, 5)
    count = int(rng.integers(0, len(shape) + 1))
    axes = sorted(int(n) for n in rng.choice(len(shape), count, replace=False))
    reduced = axes or list(range(len(shape)))
    keepdims = int(rng.integers(2))
    if keepdims:
        result = tuple(1 if axis in reduced else n for axis, n in enumerate(shape))
    else:
        result = tuple(n for axis, n in enumerate(shape) if axis not in reduced) or (1,)
    x_exp = exponent_of(rng, bits, -bits + 1, -3)
    y_exp = x_exp if op_type in _RAW else x_exp + exponent_of(rng, bits, -4, 9)
    written = [axis - len(shape) if rng.integers(2) else axis for axis in axes]
    return one_node(
        op_type,
        target,
        bits,
        {"x": (elements(rng, shape, bits), x_exp)},
        (result, y_exp),
        parameters=(index_tensor("axes", written),) if axes else (),
        attributes={"keepdims": keepdims, "noop_with_empty_axes": 0},
    )


def softmax(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Softmax or LogSoftmax along any axis; the output is float32."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 1, 4, 11)
    return one_node(
        str(rng.choice(["Softmax", "LogSoftmax"])),
        target,
        bits,
        {"x": (elements(rng, shape, bits), exponent_of(rng, bits, 2 - bits, 5 - bits))},
        (shape, 0),
        attributes={"axis": int(rng.integers(-len(shape), len(shape)))},
        output_dtype=DType.FLOAT,
    )


def normalization(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """LayerNormalization with or without bias, RMSNormalization, LpNormalization."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(["LayerNormalization", "RMSNormalization", "LpNormalization"]))
    shape = (*some_shape(rng, 0, 2, 5), int(rng.integers(2, 40)))
    axis = int(rng.integers(-len(shape), len(shape)))
    x_exp = exponent_of(rng, bits, 2 - bits, 0)
    y_exp = exponent_of(rng, bits, 2 - bits, 4 - bits + 2)
    attributes: dict[str, object] = {"axis": axis}
    parameters: list[Tensor] = []
    row = shape[axis % len(shape) :]
    if op_type == "LpNormalization":
        attributes["p"] = int(rng.integers(1, 3))
    else:
        attributes["epsilon"] = float(np.float32(rng.choice([1e-5, 1e-3, 1e-12])))
    if op_type == "RMSNormalization":
        parameters.append(Tensor.of("scale", rng.normal(1, 0.3, row).astype(np.float32)))
    if op_type == "LayerNormalization":
        attributes["stash_type"] = 1
        exponent = exponent_of(rng, bits, 2 - bits, 3 - bits)
        for name in ("scale", "bias")[: int(rng.integers(1, 3))]:
            parameters.append(Tensor.of(name, elements(rng, row, bits), exponents=(exponent,)))
    return one_node(
        op_type,
        target,
        bits,
        {"x": (elements(rng, shape, bits), x_exp)},
        (shape, y_exp),
        parameters=tuple(parameters),
        attributes=attributes,
    )


def recurrent(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """GRU or LSTM, one or two directions, gates that reach the ends of their tables.

    With or without bias and initial states; now and then in float32.
    """
    gates = int(rng.integers(3, 5))
    op_type = {3: "GRU", 4: "LSTM"}[gates]
    directions = int(rng.integers(1, 3))
    times = int(rng.integers(1, 5))
    size, hidden = (int(rng.choice([1, 3, 8, 12, 16, 32])) for _ in range(2))
    gate_exp = int(rng.integers(-11, -7))
    h_exp = 1 - bits if rng.integers(2) else 2 - bits
    x_exp, w_exp, r_exp = (int(rng.integers(2 - bits, 6 - bits)) for _ in range(3))
    bits, gate_bits = perhaps_float(rng, bits), 16
    if bits == FLOAT:
        gate_bits = FLOAT
        gate_exp = h_exp = x_exp = w_exp = r_exp = 0
    rows = gates * hidden
    parameters = [
        Tensor.of("w", elements(rng, (directions, rows, size), bits), exponents=(w_exp,)),
        Tensor.of("r", elements(rng, (directions, rows, hidden), bits), exponents=(r_exp,)),
    ]
    order = ["x", "w", "r"]
    if rng.integers(4):
        bias = elements(rng, (directions, 2 * rows), gate_bits)
        if bits != FLOAT and rng.integers(2):
            bias = (bias.astype(np.int16) >> 5).astype("<i2")
        parameters.append(Tensor.of("b", bias, exponents=(gate_exp,)))
        order.append("b")
    h = (dtype_of(bits), (directions, 1, hidden), h_exp)
    outputs = {"y": (dtype_of(bits), (times, directions, 1, hidden), h_exp), "y_h": h}
    attributes: dict[str, object] = {
        "direction": "bidirectional" if directions == 2 else "forward",
        "gate_exponent": -9 if bits == FLOAT else gate_exp,
        "hidden_size": hidden,
        "layout": 0,
    }
    if rng.integers(2):
        order += [""] * (5 - len(order))
        order.append("h0")
        state = elements(rng, (directions, 1, hidden), bits)
        parameters.append(Tensor.of("h0", state, exponents=(h_exp,)))
    if op_type == "GRU":
        attributes["linear_before_reset"] = 1
    else:
        attributes["input_forget"] = 0
        outputs["y_c"] = (dtype_of(gate_bits), (directions, 1, hidden), gate_exp)
        if "h0" in order and rng.integers(2):
            order.append("c0")
            cell = elements(rng, (directions, 1, hidden), gate_bits)
            parameters.append(Tensor.of("c0", cell, exponents=(gate_exp,)))
    return many_outputs(
        op_type,
        target,
        bits,
        {"x": (elements(rng, (times, 1, size), bits), x_exp)},
        outputs,
        parameters=tuple(parameters),
        attributes=attributes,
        order=tuple(order),
    )


ROWS: tuple[Family, ...] = (reduction, softmax, normalization, recurrent)
