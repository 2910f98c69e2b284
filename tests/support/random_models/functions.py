"""Elementwise operators: of one value, of two, by formula or by table."""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import DType
from espdl_hil.targets import Target
from tests.support.random_models.model import (
    CHANNELS,
    FLOAT,
    Family,
    RandomModel,
    elements,
    exponent_of,
    index_tensor,
    integers,
    one_node,
    perhaps_float,
    some_shape,
)

_FORMULAS = (
    "Elu",
    "Exp",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Log",
    "Relu",
    "Sigmoid",
    "Sqrt",
    "Swish",
    "Tanh",
)


def _pair(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast, and what they give."""
    if rng.integers(2):
        shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.choice(CHANNELS)))
    else:
        shape = some_shape(rng, 1, 4)
    left = tuple(1 if rng.integers(5) == 0 else n for n in shape)
    right = tuple(1 if rng.integers(4) == 0 else n for n in shape)
    if rng.integers(4) == 0:
        right = right[int(rng.integers(len(right))) :]
    if rng.integers(2):
        left, right = right, left
    return left, right, tuple(int(n) for n in np.broadcast_shapes(left, right))


def arithmetic(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Add, Sub, Mul or Div, equal shapes or broadcast."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(["Add", "Sub", "Mul", "Div"]))
    left, right, result = _pair(rng)
    a_exp = b_exp = y_exp = exponent_of(rng, bits, -7, 0)
    if bits != FLOAT and op_type == "Mul":
        b_exp = int(rng.integers(-7, 0))
        y_exp = a_exp + b_exp + int(rng.integers(0, bits + 2))
    if bits != FLOAT and op_type == "Div":
        b_exp = int(rng.integers(-7, 0))
        y_exp = a_exp - b_exp - int(rng.integers(0, bits))
    inputs = {
        "a": (elements(rng, left, bits), a_exp),
        "b": (elements(rng, right, bits), b_exp),
    }
    return one_node(op_type, target, bits, inputs, (result, y_exp))


def comparison(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Raw integers, or floats, compared; the result is boolean."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]))
    left, right, result = _pair(rng)
    inputs = {"a": (elements(rng, left, bits), 0), "b": (elements(rng, right, bits), 0)}
    return one_node(op_type, target, bits, inputs, (result, 0), output_dtype=DType.BOOL)


def real_pair(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Mod or Pow, which compute in float32."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(["Mod", "Pow"]))
    left, right, result = _pair(rng)
    inputs = {
        "a": (elements(rng, left, bits), exponent_of(rng, bits, -bits, -3)),
        "b": (elements(rng, right, bits), exponent_of(rng, bits, -bits, -3)),
    }
    y_exp = exponent_of(rng, bits, -bits, -2)
    attributes = {"fmod": 1} if op_type == "Mod" else {}
    return one_node(op_type, target, bits, inputs, (result, y_exp), attributes=attributes)


def negation(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Neg, with the most negative integer among the elements."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 1, 4)
    return one_node("Neg", target, bits, {"x": (elements(rng, shape, bits), 0)}, (shape, 0))


def formula(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """An activation: int8 by its table or without one, int16 and float by formula."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(_FORMULAS))
    shape = (1, int(rng.integers(1, 40)), int(rng.choice(CHANNELS)))
    x_exp = exponent_of(rng, bits, -12, -2)
    y_exp = x_exp if rng.integers(4) == 0 else exponent_of(rng, bits, -15, -2)
    attributes: dict[str, object] = {
        "alpha": float(np.float32(rng.choice([0.25, 0.1, 0.01, 1.0]))),
        "beta": float(np.float32(rng.choice([0.5, 0.2]))),
    }
    parameters: tuple[Tensor, ...] = ()
    if bits == 8 and rng.integers(2):
        attributes["lut"] = "table"
        parameters = (Tensor.of("table", integers(rng, (256,), 8), exponents=(y_exp,)),)
    return one_node(
        op_type,
        target,
        bits,
        {"x": (elements(rng, shape, bits), x_exp)},
        (shape, y_exp),
        parameters=parameters,
        attributes=attributes,
    )


def table(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """LUT or Gelu: 256 entries, or those of an int16 step."""
    op_type = str(rng.choice(["LUT", "Gelu"]))
    shape = (1, int(rng.integers(1, 40)), int(rng.choice(CHANNELS)))
    y_exp = int(rng.integers(-15, -2))
    count = 256
    if bits == 16:
        step = int(rng.choice([1, 2, 32, 256, 1024]))
        count = 65536 // step + (step > 1)
    return one_node(
        op_type,
        target,
        bits,
        {"x": (integers(rng, shape, bits), int(rng.integers(-12, -2)))},
        (shape, y_exp),
        parameters=(Tensor.of("table", integers(rng, (count,), bits), exponents=(y_exp,)),),
        attributes={"lut": "table"},
    )


def clip(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Bounds: both, either, none, or a table."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 1, 4, 8)
    x_exp = exponent_of(rng, bits, -10, 0)
    y_exp = x_exp if rng.integers(2) else exponent_of(rng, bits, -12, 0)
    low, high = np.sort(elements(rng, (2,), bits))
    kind = x_dtype = low.dtype.str
    given = [("low", low), ("high", high)]
    present = int(rng.integers(4))
    parameters = [
        index_tensor(name, [value], kind)
        for index, (name, value) in enumerate(given)
        if present >> index & 1
    ]
    order = {0: ("x",), 1: ("x", "low"), 2: ("x", "", "high"), 3: ("x", "low", "high")}[present]
    attributes = {}
    if x_dtype == "|i1" and rng.integers(2):
        attributes["lut"] = "table"
        parameters.append(Tensor.of("table", integers(rng, (256,), 8), exponents=(y_exp,)))
    return one_node(
        "Clip",
        target,
        bits,
        {"x": (elements(rng, shape, bits), x_exp)},
        (shape, y_exp),
        parameters=tuple(parameters),
        attributes=attributes,
        order=order,
    )


def prelu(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """One slope by table, or slopes per channel by the kernels' own arithmetic."""
    channels = int(rng.choice(CHANNELS))
    shape = (1, int(rng.integers(1, 6)), int(rng.integers(1, 6)), channels)
    x_exp, slope_exp = int(rng.integers(-8, 0)), int(rng.integers(-10, -3))
    y_exp = x_exp + int(rng.integers(-2, 3))
    single = bits == 8 and rng.integers(4) == 0
    slopes = integers(rng, (1 if single else channels, 1, 1), bits)
    parameters = [Tensor.of("slopes", slopes, exponents=(slope_exp,))]
    attributes = {}
    if single:
        attributes["lut"] = "table"
        parameters.append(Tensor.of("table", integers(rng, (256,), 8), exponents=(y_exp,)))
    return one_node(
        "PRelu",
        target,
        bits,
        {"x": (integers(rng, shape, bits), x_exp)},
        (shape, y_exp),
        parameters=tuple(parameters),
        attributes=attributes,
    )


FUNCTIONS: tuple[Family, ...] = (
    arithmetic,
    comparison,
    real_pair,
    negation,
    formula,
    table,
    clip,
    prelu,
)
