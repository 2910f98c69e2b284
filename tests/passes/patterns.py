"""How exporters write functions and normalizations that the board has as one operator."""

from __future__ import annotations

import math

_ROOT = 1.0 / math.sqrt(2.0)
_LINE = math.sqrt(2.0 / math.pi)
_X = "g (float[1,40] x) => (float y)"
_ROWS = "g (float[1,5,16] x"

FUNCTIONS = {
    "gelu, half last": (
        f"{_X} <float r = {{{math.sqrt(2)}}}, float o = {{1.0}}, float h = {{0.5}}>"
        " { d = Div(x, r) e = Erf(d) a = Add(e, o) m = Mul(x, a) y = Mul(m, h) }",
        ["Gelu"],
    ),
    "gelu, half first": (
        f"{_X} <float r = {{{_ROOT}}}, float o = {{1.0}}, float h = {{0.5}}>"
        " { d = Mul(r, x) e = Erf(d) a = Add(o, e) m = Mul(h, x) y = Mul(a, m) }",
        ["Gelu"],
    ),
    "gelu, half with the sum": (
        f"{_X} <float r = {{{_ROOT}}}, float o = {{1.0}}, float h = {{0.5}}>"
        " { d = Mul(x, r) e = Erf(d) a = Add(e, o) m = Mul(a, h) y = Mul(m, x) }",
        ["Gelu"],
    ),
    "gelu, tanh": (
        f"{_X} <float k = {{0.044715}}, float l = {{{_LINE}}}, float o = {{1.0}},"
        " float h = {0.5}, float three = {3.0}> { c = Pow(x, three) k1 = Mul(c, k) s = Add(x, k1)"
        " t = Mul(s, l) u = Tanh(t) a = Add(u, o) m = Mul(x, h) y = Mul(m, a) }",
        ["Gelu"],
    ),
    "gelu, tanh of a product": (
        f"{_X} <float k = {{0.044715}}, float l = {{{_LINE}}}, float o = {{1.0}},"
        " float h = {0.5}> { q = Mul(x, x) c = Mul(q, k) p = Add(o, c) lx = Mul(l, x)"
        " t = Mul(lx, p) u = Tanh(t) a = Add(u, o) m = Mul(a, x) y = Mul(m, h) }",
        ["Gelu"],
    ),
    "hard swish": (
        f"{_X} <float b = {{3.0}}, float lo = {{0.0}}, float hi = {{6.0}}>"
        " { a = Add(x, b) c = Clip(a, lo, hi) m = Mul(x, c) y = Div(m, hi) }",
        ["HardSwish"],
    ),
    "hard swish, divided first": (
        f"{_X} <float b = {{3.0}}, float lo = {{0.0}}, float hi = {{6.0}}>"
        " { a = Add(b, x) c = Clip(a, lo, hi) d = Div(c, hi) y = Mul(d, x) }",
        ["HardSwish"],
    ),
    "hard sigmoid": (
        f"{_X} <float b = {{3.0}}, float lo = {{0.0}}, float hi = {{6.0}}>"
        " { a = Add(x, b) c = Clip(a, lo, hi) y = Div(c, hi) }",
        ["HardSigmoid"],
    ),
    "swish by exp": (
        f"{_X} <float o = {{1.0}}> {{ n = Neg(x) e = Exp(n) a = Add(e, o) y = Div(x, a) }}",
        ["Swish"],
    ),
    "relu by max": (f"{_X} <float z = {{0.0}}> {{ y = Max(x, z) }}", ["Relu"]),
    "clip by max and min": (
        f"{_X} <float l = {{-0.5}}, float h = {{0.75}}> {{ a = Max(l, x) y = Min(a, h) }}",
        ["Clip", "Clip"],
    ),
    "mish": (f"{_X} {{ s = Softplus(x) t = Tanh(s) y = Mul(x, t) }}", ["LUT"]),
    "softplus with a threshold": (
        f"{_X} <float t = {{20.0}}> {{ c = Greater(x, t) s = Softplus(x) y = Where(c, x, s) }}",
        ["LUT"],
    ),
    "distance": (f"{_X} <float c = {{0.25}}> {{ d = Sub(x, c) y = Abs(d) }}", ["LUT"]),
    "two functions": (f"{_X} {{ s = Sin(x) y = Cos(s) }}", ["LUT"]),
    "one bound": (f"{_X} <float h = {{0.5}}> {{ a = Abs(x) y = Clip(a, , h) }}", ["LUT"]),
}
"""Functions of one value, and the nodes that they become."""

NORMALIZATIONS = {
    "layer norm": (
        f"{_ROWS}, float[16] s, float[16] b) => (float y) <int64[1] a = {{-1}},"
        " float two = {2.0}, float e = {0.00001}> { m = ReduceMean(x, a) d = Sub(x, m)"
        " q = Pow(d, two) v = ReduceMean(q, a) w = Add(v, e) r = Sqrt(w) n = Div(d, r)"
        " t = Mul(n, s) y = Add(t, b) }",
        ["LayerNormalization"],
    ),
    "layer norm, factors turned": (
        f"{_ROWS}, float[16] s, float[16] b) => (float y) <int64[1] a = {{2}}, float e = {{0.01}}>"
        " { m = ReduceMean(x, a) d = Sub(x, m) q = Mul(d, d) v = ReduceMean(q, a) w = Add(e, v)"
        " r = Sqrt(w) i = Reciprocal(r) n = Mul(i, d) t = Mul(s, n) y = Add(b, t) }",
        ["LayerNormalization"],
    ),
    "layer norm without scale and bias": (
        f"{_ROWS}) => (float y) <int64[2] a = {{1, 2}}, float e = {{0.001}}>"
        " { m = ReduceMean(x, a) d = Sub(x, m) q = Mul(d, d) v = ReduceMean(q, a) w = Add(v, e)"
        " r = Sqrt(w) y = Div(d, r) }",
        ["LayerNormalization"],
    ),
    "root mean square": (
        f"{_ROWS}, float[16] s) => (float y) <int64[1] a = {{-1}}, float e = {{0.00001}}>"
        " { q = Mul(x, x) m = ReduceMean(q, a) w = Add(m, e) r = Sqrt(w) n = Div(x, r)"
        " y = Mul(n, s) }",
        ["RMSNormalization"],
    ),
    "root mean square, reciprocal": (
        f"{_ROWS}, float[16] s) => (float y) <int64[1] a = {{-1}}, float e = {{0.00001}},"
        " float o = {1.0}> { q = Mul(x, x) m = ReduceMean(q, a) w = Add(e, m) r = Sqrt(w)"
        " i = Div(o, r) n = Mul(x, i) y = Mul(s, n) }",
        ["RMSNormalization"],
    ),
    "euclidean length": (
        f"{_ROWS}) => (float y) <int64[1] a = {{1}}, float e = {{0.000000000001}},"
        " int64[3] s = {1, 5, 16}>"
        " { l = ReduceL2(x, a) c = Clip(l, e) f = Expand(c, s) y = Div(x, f) }",
        ["LpNormalization"],
    ),
    "sum of magnitudes": (
        f"{_ROWS}) => (float y) <int64[1] a = {{-1}}, float e = {{0.000000000001}}>"
        " { l = ReduceL1(x, a) c = Clip(l, e) y = Div(x, c) }",
        ["LpNormalization"],
    ),
    "mean of a picture": (
        "g (float[1,4,5,6] x) => (float y) <int64[2] a = {2, 3}>"
        " { y = ReduceMean<keepdims = 0>(x, a) }",
        ["GlobalAveragePool", "Reshape"],
    ),
}
"""Normalizations in their parts."""

LEFT_ALONE = {
    "a scale per row": (
        f"{_ROWS}, float[1,5,1] s) => (float y) <int64[1] a = {{-1}}, float e = {{0.00001}}>"
        " { q = Mul(x, x) m = ReduceMean(q, a) w = Add(m, e) r = Sqrt(w) n = Div(x, r)"
        " y = Mul(n, s) }",
        ["RMSNormalization", "Mul"],
    ),
    "a mean over other axes": (
        f"{_ROWS}) => (float y) <int64[1] a = {{-1}}, int64[1] c = {{1}}, float e = {{0.001}}>"
        " { m = ReduceMean(x, c) d = Sub(x, m) q = Mul(d, d) v = ReduceMean(q, a) w = Add(v, e)"
        " r = Sqrt(w) y = Div(d, r) }",
        ["ReduceMean", "Sub", "RMSNormalization"],
    ),
    "the variance is an output": (
        f"{_ROWS}) => (float y, float v) <int64[1] a = {{1}}, float e = {{0.001}}>"
        " { m = ReduceMean(x, a) d = Sub(x, m) q = Mul(d, d) v = ReduceMean(q, a) w = Add(v, e)"
        " r = Sqrt(w) y = Div(d, r) }",
        ["ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div"],
    ),
    "a bound that matters": (
        f"{_ROWS}) => (float y) <int64[1] a = {{-1}}, float e = {{0.5}}>"
        " { l = ReduceL2(x, a) c = Clip(l, e) y = Div(x, c) }",
        ["ReduceL2", "Clip", "Div"],
    ),
    "a function of two values": (
        "g (float[1,40] x, float[1,40] x2) => (float y) { t = Abs(x) y = Mul(x2, t) }",
        ["LUT", "Mul"],
    ),
    "an inner value that is read": (
        f"{_X[:-1]}, float s) {{ s = Softplus(x) t = Tanh(s) y = Mul(x, t) }}",
        ["LUT", "Tanh", "Mul"],
    ),
    "a factor that is not a half": (
        f"{_X} <float r = {{{_ROOT}}}, float o = {{1.0}}, float h = {{0.51}}>"
        " { d = Mul(x, r) e = Erf(d) a = Add(e, o) m = Mul(a, h) y = Mul(m, x) }",
        ["LUT"],
    ),
    "elementwise with kernels of its own": (
        f"{_X} <float c = {{0.5}}> {{ t = Tanh(x) y = Add(t, c) }}",
        ["Tanh", "Add"],
    ),
}
"""Graphs that are almost a pattern, and the nodes that they stay or become."""
