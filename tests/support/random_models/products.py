"""Multiply-accumulate operators and everything else that slides a window."""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.layouts import FilterKind, filter_dims, pack_filter
from espdl_hil.ir.lowered import Tensor
from espdl_hil.ir.types import Array
from espdl_hil.targets import Target
from tests.support.random_models.model import (
    CHANNELS,
    Family,
    RandomModel,
    elements,
    exponent_of,
    image_shape,
    index_tensor,
    integers,
    one_node,
    perhaps_float,
)


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
        if dilation > 1 and rng.integers(4):
            before = after = 0  # else a window may lie wholly in the padding, which is refused
        out = (size + before + after - reach) // stride + 1
        if size >= reach and out >= 1:
            return kernel, stride, dilation, before, after, out


def _bias(rng: np.random.Generator, channels: int, bits: int, target: Target) -> Array:
    largest = 31 if bits == 8 else 62  # what the file holds, not what an accumulator does
    width = largest if rng.integers(8) == 0 else min(target.mac[bits].bias_bits, largest)
    limit = 1 << int(rng.integers(1, width)) - 1
    values = rng.integers(-limit, limit, channels, endpoint=False)
    return values.astype("<i4" if bits == 8 else "<i8")


def _mac_exponents(
    rng: np.random.Generator, channels: int, bits: int, target: Target
) -> tuple[int, tuple[int, ...], int]:
    """(input, weight, output) exponents; most shifts stay in every kernel's range."""
    x = int(rng.integers(-8, 1))
    per_channel = target.per_channel_weights and bool(rng.integers(2)) and channels > 1
    w = tuple(int(e) for e in rng.integers(-9, -3, channels if per_channel else 1))
    # A left shift now and then: plain kernels do it, vector kernels cannot.
    y = x + max(w) + int(rng.integers(-3, 0) if rng.integers(12) == 0 else rng.integers(0, 20))
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
    inner, channels = int(rng.choice([*CHANNELS, 64, 100, 300])), int(rng.choice(CHANNELS))
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
    """MatMul of up to four axes; the right side is packed, a constant or computed at run time."""
    inner, channels = int(rng.choice([*CHANNELS, 64, 200])), int(rng.choice(CHANNELS))
    batch = tuple(int(n) for n in rng.integers(1, 4, int(rng.integers(0, 3))))
    kept = int(rng.integers(len(batch) + 1))  # axes that the right side has too
    right = tuple(1 if rng.integers(4) == 0 else n for n in batch[kept:])
    left = tuple(1 if rng.integers(4) == 0 else n for n in batch)
    rows = int(rng.integers(1, 4))
    weights = integers(rng, (*right, inner, channels), bits)
    x_exp, w_exp = int(rng.integers(-8, 1)), int(rng.integers(-9, -3))
    y_exp = x_exp + w_exp + int(rng.integers(0, 20))
    packed = pack_filter(weights, FilterKind.MATMUL, target.mac[bits].filter_block)
    inputs = {"x": (integers(rng, (*left, rows, inner), bits), x_exp)}
    parameters: tuple[Tensor, ...] = ()
    if rng.integers(2):
        parameters = (Tensor.of("w", packed, exponents=(w_exp,), dims=weights.shape),)
    else:
        inputs["w"] = (packed.reshape(weights.shape), w_exp)
    result = (*np.broadcast_shapes(left, right), rows, channels)
    return one_node(
        "MatMul",
        target,
        bits,
        inputs,
        (result, y_exp),
        parameters=parameters,
        attributes={"activation": str(rng.choice(["Linear", "Relu"]))},
    )


def pool(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Maximum, average or global average pooling in one or two dimensions."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(["MaxPool", "AveragePool", "GlobalAveragePool"]))
    spatial = int(rng.choice([1, 2], p=[0.25, 0.75]))
    channels = int(rng.choice(CHANNELS))
    x_exp = exponent_of(rng, bits, -8, 1)
    y_exp = x_exp if op_type == "MaxPool" else x_exp + exponent_of(rng, bits, -3, 4)
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
        {"x": (elements(rng, (1, *sizes, channels), bits), x_exp)},
        ((1, *outs, channels), y_exp),
        attributes=attributes,
    )


def resize(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Nearest or linear, by scales or by sizes, in one or two dimensions; int8 only."""
    spatial = int(rng.choice([1, 2], p=[0.25, 0.75]))
    mode = str(rng.choice(["nearest", "linear"]))
    sizes = image_shape(rng, 9)[1 : 1 + spatial]
    channels = int(rng.choice(CHANNELS))
    doubled = bool(rng.integers(3) == 0)
    outs = [2 * n if doubled else int(rng.integers(1, 3 * n + 1)) for n in sizes]
    parameters = [index_tensor("roi", [], "<f4")]
    if rng.integers(2):
        parameters += [index_tensor("scales", [], "<f4")]
        parameters += [index_tensor("sizes", [1, channels, *outs])]
    else:
        scales = np.array([o / n for o, n in zip(outs, sizes, strict=True)], dtype=np.float32)
        outs = [int(np.float32(n) * s) for n, s in zip(sizes, scales, strict=True)]
        parameters += [index_tensor("scales", [1, 1, *scales], "<f4")]
    x_exp = int(rng.integers(-7, 1))
    y_exp = x_exp if rng.integers(2) else x_exp + int(rng.integers(-7, 4))
    return one_node(
        "Resize",
        target,
        bits,
        {"x": (integers(rng, (1, *sizes, channels), bits), x_exp)},
        ((1, *outs, channels), y_exp),
        parameters=tuple(parameters),
        attributes={
            "mode": mode,
            "coordinate_transformation_mode": str(
                rng.choice(["asymmetric"] if mode == "nearest" else ["half_pixel", "align_corners"])
            ),
            "nearest_mode": "floor",
        },
    )


PRODUCTS: tuple[Family, ...] = (conv, gemm, matmul, pool, resize)
