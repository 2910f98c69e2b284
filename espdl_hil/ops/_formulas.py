"""ONNX's elementwise functions as numpy formulas, by operator name.

The law of this file: a formula is what the ONNX specification says, in double precision; what the
board computes instead is in the operators' own files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Formula = Callable[..., Doubles]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _softplus(x: Doubles) -> Doubles:
    return np.logaddexp(x, 0.0)


def _sigmoid(x: Doubles) -> Doubles:
    return np.exp(-np.logaddexp(0.0, -x))


def _selu(
    x: Doubles, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Doubles:
    return gamma * np.where(x > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _celu(x: Doubles, alpha: float = 1.0) -> Doubles:
    return np.maximum(x, 0.0) + np.minimum(alpha * np.expm1(np.minimum(x, 0.0) / alpha), 0.0)


def _shrink(x: Doubles, bias: float = 0.0, lambd: float = 0.5) -> Doubles:
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


def _hard_sigmoid(x: Doubles, alpha: float = 0.2, beta: float = 0.5) -> Doubles:
    return np.clip(alpha * x + beta, 0.0, 1.0)


def _clip(x: Doubles, low: float | Doubles = -np.inf, high: float | Doubles = np.inf) -> Doubles:
    return np.minimum(np.maximum(x, low), high)


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "Abs": np.abs,
        "Acos": np.arccos,
        "Acosh": np.arccosh,
        "Asin": np.arcsin,
        "Asinh": np.arcsinh,
        "Atan": np.arctan,
        "Atanh": np.arctanh,
        "Ceil": np.ceil,
        "Celu": _celu,
        "Cos": np.cos,
        "Cosh": np.cosh,
        "Erf": _erf,
        "Floor": np.floor,
        "Mish": lambda x: x * np.tanh(_softplus(x)),
        "Reciprocal": lambda x: 1.0 / x,
        "Round": np.rint,
        "Selu": _selu,
        "Shrink": _shrink,
        "Sign": np.sign,
        "Sin": np.sin,
        "Sinh": np.sinh,
        "Softplus": _softplus,
        "Softsign": lambda x: x / (1.0 + np.abs(x)),
        "Tan": np.tan,
        "ThresholdedRelu": lambda x, alpha=1.0: np.where(x > alpha, x, 0.0),
    }
)
"""Functions of one value that ESP-DL has no kernel for."""

COMPANIONS: Mapping[str, Formula] = MappingProxyType(
    {
        "Add": np.add,
        "Clip": _clip,
        "Div": np.divide,
        "Elu": lambda x, alpha=1.0: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
        "Equal": np.equal,
        "Exp": np.exp,
        "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal,
        "HardSigmoid": _hard_sigmoid,
        "HardSwish": lambda x: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
        "Identity": np.positive,
        "LeakyRelu": lambda x, alpha=0.01: np.where(x < 0, alpha * x, x),
        "Less": np.less,
        "LessOrEqual": np.less_equal,
        "Log": np.log,
        "Mul": np.multiply,
        "Neg": np.negative,
        "Pow": np.power,
        "Relu": lambda x: np.maximum(x, 0.0),
        "Sigmoid": _sigmoid,
        "Sqrt": np.sqrt,
        "Sub": np.subtract,
        "Tanh": np.tanh,
        "Where": np.where,
    }
)
"""Elementwise operators that may stand beside those in one table."""
