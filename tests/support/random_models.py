"""Random one-node ``.espdl`` models that hit edges: channel tails, rails, ties, odd windows.

The law of this file: everything comes from the given generator, so a seed names a model. The
models are built as the format says, without the quantizer, so that they reach integers that a
calibrated model seldom reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.layouts import FilterKind, filter_dims, pack_filter
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import Array, DType
from espdl_hil.targets import Target

CHANNELS = (1, 3, 7, 8, 15, 16, 17, 31, 32, 33)
QUANT_TYPE = {8: "S8", 16: "S16"}


@dataclass(frozen=True)
class RandomModel:
    """A model and one input set for it."""

    model: LoweredModel
    inputs: Mapping[str, Array]


def integers(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> Array:
    """An integer tensor: uniform, normal, on the rails, or small."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    kind = rng.integers(4)
    if kind == 0:
        values = rng.integers(low, high + 1, shape)
    elif kind == 1:
        values = np.clip(np.rint(rng.normal(0, high / 3, shape)), low, high)
    elif kind == 2:
        values = rng.choice([low, low + 1, -1, 0, 1, high], shape)
    else:
        values = rng.integers(-3, 4, shape)
    return values.astype(DType.integer(bits).numpy)


def one_node(
    op_type: str,
    target: Target,
    bits: int,
    inputs: Mapping[str, tuple[Array, int]],
    output: tuple[tuple[int, ...], int],
    *,
    parameters: tuple[Tensor, ...] = (),
    attributes: Mapping[str, object] | None = None,
    output_dtype: DType | None = None,
    order: tuple[str, ...] = (),
) -> RandomModel:
    """A model of one node: inputs are (integers, exponent) by name, output (shape, exponent)."""
    dtype = DType.integer(bits)
    written = {"quant_type": QUANT_TYPE[bits], **(attributes or {})}
    values = {
        name: ValueInfo(name, DType.of(array.dtype), array.shape, (exponent,))
        for name, (array, exponent) in inputs.items()
    }
    values["y"] = ValueInfo("y", output_dtype or dtype, output[0], (output[1],))
    node = LoweredNode(
        "node",
        op_type,
        order or (*inputs, *(tensor.name for tensor in parameters if tensor.name != "table")),
        ("y",),
        {key: Attribute.of(value) for key, value in sorted(written.items())},
    )
    model = LoweredModel(
        name=f"random_{op_type}",
        nodes=(node,),
        inputs=tuple(inputs),
        outputs=("y",),
        values=values,
        parameters={tensor.name: tensor for tensor in parameters},
        metadata={"target": target.name},
    )
    return RandomModel(model, {name: array for name, (array, _) in inputs.items()})


def _window(
    rng: np.random.Generator, size: int, *, dilations: tuple[int, ...] = (1, 2)
) -> tuple[int, int, int, int, int, int]:
    """(kernel, stride, dilation, pad before, pad after, output size) that every kernel can read."""
    while True:
        kernel = int(rng.integers(1, 6))
        stride = int(rng.integers(1, 4))
        dilation = int(rng.choice(dilations)) if kernel > 1 else 1
        reach = dilation * (kernel - 1) + 1
        before, after = (int(n) for n in rng.integers(0, kernel, 2))
        if dilation > 1:
            before = after = 0
        out = (size + before + after - reach) // stride + 1
        if size >= reach and out >= 1:
            return kernel, stride, dilation, before, after, out


def _bias(rng: np.random.Generator, channels: int, bits: int, target: Target) -> Array:
    width = min(target.mac[bits].bias_bits, 31 if bits == 8 else 40)
    limit = 1 << int(rng.integers(1, width)) - 1
    values = rng.integers(-limit, limit, channels, endpoint=False)
    return values.astype("<i4" if bits == 8 else "<i8")


def _mac_exponents(
    rng: np.random.Generator, channels: int, bits: int, target: Target
) -> tuple[int, tuple[int, ...], int]:
    """(input, weight, output) exponents with shifts that stay in every kernel's range."""
    x = int(rng.integers(-8, 1))
    per_channel = target.per_channel_weights and bool(rng.integers(2)) and channels > 1
    w = tuple(int(e) for e in rng.integers(-9, -3, channels if per_channel else 1))
    y = x + max(w) + int(rng.integers(0, 12))
    return x, w, y


def conv(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Dense or depthwise convolution in one or two dimensions, with or without bias and Relu."""
    spatial = int(rng.choice([1, 2], p=[0.25, 0.75]))
    depthwise = bool(rng.integers(3) == 0)
    channels_in = int(rng.choice(CHANNELS))
    channels = channels_in if depthwise else int(rng.choice(CHANNELS))
    windows = [_window(rng, int(rng.integers(1, 9))) for _ in range(spatial)]
    sizes = [int(k + (k - 1) * (d - 1) + rng.integers(0, 6)) for k, _, d, _, _, _ in windows]
    out_sizes = [
        (n + b + a - (d * (k - 1) + 1)) // s + 1
        for n, (k, s, d, b, a, _) in zip(sizes, windows, strict=True)
    ]
    kernel = tuple(w[0] for w in windows)
    weights = integers(rng, (channels, 1 if depthwise else channels_in, *kernel), bits)
    kind = FilterKind.DEPTHWISE if depthwise else FilterKind.DENSE
    x_exp, w_exp, y_exp = _mac_exponents(rng, channels, bits, target)
    packed = pack_filter(weights, kind, target.mac[bits].filter_block)
    filters = Tensor.of("w", packed, exponents=w_exp, dims=filter_dims(weights.shape, kind))
    parameters = [filters]
    if rng.integers(4):
        bias = _bias(rng, channels, bits, target)
        parameters.append(Tensor.of("b", bias, exponents=tuple(x_exp + w for w in w_exp)))
    x = integers(rng, (1, *sizes, channels_in), bits)
    return one_node(
        "Conv",
        target,
        bits,
        {"x": (x, x_exp)},
        ((1, *out_sizes, channels), y_exp),
        parameters=tuple(parameters),
        attributes={
            "kernel_shape": list(kernel),
            "strides": [w[1] for w in windows],
            "dilations": [w[2] for w in windows],
            "pads": [w[3] for w in windows] + [w[4] for w in windows],
            "group": channels if depthwise else 1,
            "activation": str(rng.choice(["Linear", "Relu"])),
        },
    )


def gemm(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """A fully connected layer, long enough to saturate narrow lanes."""
    inner, channels = int(rng.choice([*CHANNELS, 64, 100])), int(rng.choice(CHANNELS))
    weights = integers(rng, (inner, channels), bits)
    x_exp, w_exp, y_exp = _mac_exponents(rng, channels, bits, target)
    packed = pack_filter(weights, FilterKind.GEMM, target.mac[bits].filter_block)
    parameters = (
        Tensor.of("w", packed, exponents=w_exp, dims=(1, 1, inner, channels)),
        Tensor.of(
            "b", _bias(rng, channels, bits, target), exponents=tuple(x_exp + w for w in w_exp)
        ),
    )
    rows = int(rng.integers(1, 4))
    return one_node(
        "Gemm",
        target,
        bits,
        {"x": (integers(rng, (rows, inner), bits), x_exp)},
        ((rows, channels), y_exp),
        parameters=parameters,
        attributes={
            "transA": 0,
            "transB": 0,
            "alpha": 1.0,
            "beta": 1.0,
            "activation": str(rng.choice(["Linear", "Relu"])),
        },
    )


def matmul(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """MatMul with a constant right side, two or three dimensions."""
    inner, channels = int(rng.choice([*CHANNELS, 64])), int(rng.choice(CHANNELS))
    weights = integers(rng, (inner, channels), bits)
    x_exp, w_exp, y_exp = int(rng.integers(-8, 1)), int(rng.integers(-9, -3)), 0
    y_exp = x_exp + w_exp + int(rng.integers(0, 12))
    packed = pack_filter(weights, FilterKind.MATMUL, target.mac[bits].filter_block)
    lead = tuple(int(n) for n in rng.integers(1, 4, int(rng.integers(1, 3))))
    return one_node(
        "MatMul",
        target,
        bits,
        {"x": (integers(rng, (*lead, inner), bits), x_exp)},
        ((*lead, channels), y_exp),
        parameters=(Tensor.of("w", packed, exponents=(w_exp,), dims=(inner, channels)),),
        attributes={"activation": "Linear"},
    )


def pool(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Maximum, average or global average pooling in one or two dimensions."""
    op_type = str(rng.choice(["MaxPool", "AveragePool", "GlobalAveragePool"]))
    spatial = int(rng.choice([1, 2], p=[0.25, 0.75]))
    channels = int(rng.choice(CHANNELS))
    x_exp = int(rng.integers(-8, 1))
    y_exp = x_exp if op_type == "MaxPool" else x_exp + int(rng.integers(-3, 4))
    attributes: dict[str, object] = {}
    if op_type == "GlobalAveragePool":
        sizes = [int(n) for n in rng.integers(1, 9, spatial)]
        outs = [1] * spatial
    else:
        sizes = [int(n) for n in rng.integers(5, 10, spatial)]
        windows = [_window(rng, n, dilations=(1,)) for n in sizes]
        outs = [w[5] for w in windows]
        attributes = {
            "kernel_shape": [w[0] for w in windows],
            "strides": [w[1] for w in windows],
            "pads": [w[3] for w in windows] + [w[4] for w in windows],
        }
    return one_node(
        op_type,
        target,
        bits,
        {"x": (integers(rng, (1, *sizes, channels), bits), x_exp)},
        ((1, *outs, channels), y_exp),
        attributes=attributes,
    )


def elementwise(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Add, Sub or Mul of two tensors, equal shapes or broadcast."""
    op_type = str(rng.choice(["Add", "Sub", "Mul"]))
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.choice(CHANNELS)))
    other = tuple(1 if rng.integers(3) == 0 else n for n in shape)
    a_exp = int(rng.integers(-7, 0))
    if op_type == "Mul":
        b_exp = int(rng.integers(-7, 0))
        y_exp = a_exp + b_exp + int(rng.integers(0, bits + 2))
    else:
        b_exp = y_exp = a_exp
    first = (integers(rng, shape, bits), a_exp)
    second = (integers(rng, other, bits), b_exp)
    if rng.integers(2):
        first, second = second, first
    return one_node(op_type, target, bits, {"a": first, "b": second}, (shape, y_exp))


def table(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """An int8 activation by its table, or an int16 one by its formula."""
    op_type = str(
        rng.choice(["Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Swish", "LeakyRelu", "Relu"])
    )
    shape = (1, int(rng.integers(1, 40)), int(rng.choice(CHANNELS)))
    x_exp, y_exp = int(rng.integers(-12, -2)), int(rng.integers(-15, -2))
    attributes: dict[str, object] = {"alpha": 0.25, "beta": 0.5}
    parameters: tuple[Tensor, ...] = ()
    if bits == 8:
        attributes["lut"] = "table"
        parameters = (Tensor.of("table", integers(rng, (256,), 8), exponents=(y_exp,)),)
    return one_node(
        op_type,
        target,
        bits,
        {"x": (integers(rng, shape, bits), x_exp)},
        (shape, y_exp),
        parameters=parameters,
        attributes=attributes,
    )


def requantize(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """A change of exponent, of width, or of both."""
    to_bits = int(rng.choice([8, 16]))
    size = int(rng.choice([1, 7, 16, 49, 64, 160]))
    x_exp = int(rng.integers(-10, 1))
    y_exp = x_exp + int(rng.integers(-3, 9))
    return one_node(
        "RequantizeLinear",
        target,
        bits,
        {"x": (integers(rng, (1, size), bits), x_exp)},
        ((1, size), y_exp),
        output_dtype=DType.integer(to_bits),
    )


def concat(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Two or three tensors joined along any axis."""
    shape = [1, *(int(n) for n in rng.integers(1, 6, 3))]
    axis = int(rng.integers(1, 4))
    parts = {}
    for index in range(int(rng.integers(2, 4))):
        part = [*shape]
        part[axis] = int(rng.integers(1, 6))
        parts[f"x{index}"] = (integers(rng, tuple(part), bits), -3)
    shape[axis] = sum(array.shape[axis] for array, _ in parts.values())
    return one_node("Concat", target, bits, parts, (tuple(shape), -3), attributes={"axis": axis})


def transpose(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Any permutation of up to five axes."""
    rank = int(rng.integers(2, 6))
    shape = tuple(int(n) for n in rng.integers(1, 6, rank))
    perm = [int(n) for n in rng.permutation(rank)]
    return one_node(
        "Transpose",
        target,
        bits,
        {"x": (integers(rng, shape, bits), -3)},
        (tuple(shape[axis] for axis in perm), -3),
        attributes={"perm": perm},
    )


def softmax(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Softmax along any axis; the output is float32."""
    shape = tuple(int(n) for n in rng.integers(1, 12, 3))
    return one_node(
        "Softmax",
        target,
        bits,
        {"x": (integers(rng, shape, bits), int(rng.integers(-6, -3)) - (bits - 8))},
        (shape, 0),
        attributes={"axis": int(rng.integers(-1, 3))},
        output_dtype=DType.FLOAT,
    )


FAMILIES: tuple[Callable[[np.random.Generator, Target, int], RandomModel], ...] = (
    conv,
    gemm,
    matmul,
    pool,
    elementwise,
    table,
    requantize,
    concat,
    transpose,
    softmax,
)
