"""Operators that only move elements: views, permutations, cuts, joins, gathers and pads."""

from __future__ import annotations

import numpy as np

from espdl_hil.ir.types import DType
from espdl_hil.targets import Target
from tests.support.random_models.model import (
    FLOAT,
    Family,
    RandomModel,
    dtype_of,
    elements,
    exponent_of,
    image_shape,
    index_tensor,
    many_outputs,
    one_node,
    perhaps_float,
    some_shape,
)

_FAR = (1 << 63) - 1


def concat(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Two or three tensors joined along any axis."""
    bits = perhaps_float(rng, bits)
    exponent = exponent_of(rng, bits, -8, 1)
    shape = list(some_shape(rng, 1, 4))
    axis = int(rng.integers(-len(shape), len(shape)))
    parts = {}
    for index in range(int(rng.integers(2, 4))):
        part = [*shape]
        part[axis] = int(rng.integers(1, 6))
        parts[f"x{index}"] = (elements(rng, tuple(part), bits), exponent)
    shape[axis] = sum(array.shape[axis] for array, _ in parts.values())
    attributes = {"axis": axis}
    return one_node("Concat", target, bits, parts, (tuple(shape), exponent), attributes=attributes)


def transpose(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Any permutation of up to five axes."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 2, 5)
    perm = [int(n) for n in rng.permutation(len(shape))]
    return one_node(
        "Transpose",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        (tuple(shape[axis] for axis in perm), 0),
        attributes={"perm": perm},
    )


def view(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Reshape, Flatten, Squeeze, Unsqueeze or Identity: the same elements in another shape."""
    bits = perhaps_float(rng, bits)
    op_type = str(rng.choice(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]))
    shape = some_shape(rng, 1, 4)
    attributes: dict[str, object] = {}
    numbers: list[int] | None = None
    result: tuple[int, ...] = shape
    match op_type:
        case "Reshape":
            attributes["allowzero"] = 0
            numbers, result = _new_shape(rng, shape)
        case "Flatten":
            axis = int(rng.integers(-len(shape), len(shape) + 1))
            attributes["axis"] = axis
            cut = axis if axis == len(shape) else axis % len(shape)
            result = (int(np.prod(shape[:cut])), int(np.prod(shape[cut:])))
        case "Squeeze":
            shape = tuple(1 if rng.integers(2) else n for n in shape)
            single = [axis for axis, n in enumerate(shape) if n == 1]
            if len(single) == len(shape):  # the board has no value without axes
                shape = (*shape, 3)
            if single and rng.integers(3):
                single = [axis for axis in single if rng.integers(2)] or single
                numbers = [axis - len(shape) if rng.integers(2) else axis for axis in single]
            result = tuple(n for axis, n in enumerate(shape) if axis not in single)
        case "Unsqueeze":
            rank = len(shape) + int(rng.integers(1, 3))
            new = sorted(int(n) for n in rng.choice(rank, rank - len(shape), replace=False))
            numbers = [axis - rank if rng.integers(2) else axis for axis in new]
            lengths = iter(shape)
            result = tuple(1 if axis in new else next(lengths) for axis in range(rank))
    parameters = () if numbers is None else (index_tensor("shape", numbers),)
    return one_node(
        op_type,
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        (result, 0),
        parameters=parameters,
        attributes=attributes,
    )


def _new_shape(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[list[int], tuple[int, ...]]:
    """What Reshape is told, perhaps with 0 or -1 in it, and what it means."""
    factors = []
    rest = int(np.prod(shape))
    for prime in (2, 3, 5):
        while rest % prime == 0:
            factors.append(prime)
            rest //= prime
    result = [1] * int(rng.integers(1, 5))
    for factor in factors:
        result[int(rng.integers(len(result)))] *= factor
    told = [*result]
    if rng.integers(2):
        told[int(rng.integers(len(told)))] = -1
    for axis, n in enumerate(told):
        if axis < len(shape) and n == shape[axis] and rng.integers(2):
            told[axis] = 0
    return told, tuple(result)


def cut(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Slice with any bounds and steps, backwards too."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 1, 4, 9)
    axes = [int(n) for n in rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)]]
    plain = axes == list(range(len(axes))) and bool(rng.integers(2))
    starts, ends, steps = [], [], []
    result = list(shape)
    for axis in axes:
        length = shape[axis]
        while True:
            step = int(rng.choice([1, 1, 2, 3, -1, -2]))
            start, end = (int(n) for n in rng.integers(-length - 2, length + 3, 2))
            if rng.integers(4) == 0:
                end = _FAR if step > 0 else -_FAR
            kept = _kept(start, end, step, length)
            if kept:
                break
        starts.append(start)
        ends.append(end)
        steps.append(step)
        result[axis] = kept
    dtype = "<i8" if rng.integers(2) else "<i4"
    if dtype == "<i4":
        ends = [int(np.clip(n, -(2**31) + 1, 2**31 - 1)) for n in ends]
    parameters = [index_tensor("starts", starts, dtype), index_tensor("ends", ends, dtype)]
    written = [axis - len(shape) if rng.integers(2) else axis for axis in axes]
    if not plain or any(step != 1 for step in steps):
        parameters.append(index_tensor("axes", written, dtype))
        if any(step != 1 for step in steps) or rng.integers(2):
            parameters.append(index_tensor("steps", steps, dtype))
    return one_node(
        "Slice",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        (tuple(result), 0),
        parameters=tuple(parameters),
    )


def _kept(start: int, end: int, step: int, length: int) -> int:
    """How many elements the board takes; 0 where it aborts. See ``espdl_hil.ops.slice``."""
    if step < 0:
        start, end, step = -start - 1, -end - 1, -step
    end = min(end, length)
    start, end = (n + length if n < 0 else n for n in (start, end))
    return len(range(start, end, step)) if 0 <= start < end <= length else 0


def split(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Parts of given lengths."""
    bits = perhaps_float(rng, bits)
    lengths = [int(n) for n in rng.integers(1, 5, int(rng.integers(2, 5)))]
    shape = list(some_shape(rng, 1, 4, 5))
    axis = int(rng.integers(-len(shape), len(shape)))
    shape[axis] = sum(lengths)
    outputs = {}
    for index, length in enumerate(lengths):
        part = [*shape]
        part[axis] = length
        outputs[f"y{index}"] = (dtype_of(bits), tuple(part), 0)
    return many_outputs(
        "Split",
        target,
        bits,
        {"x": (elements(rng, tuple(shape), bits), 0)},
        outputs,
        parameters=(index_tensor("lengths", lengths),),
        attributes={"axis": axis},
    )


def gather(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Slices in any order; indices of up to two axes, int32 or int64."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 1, 4)
    axis = int(rng.integers(len(shape)))
    count = some_shape(rng, 0 if len(shape) > 1 else 1, 2, 4)
    indices = rng.integers(0, shape[axis], count)
    written = axis - len(shape) if rng.integers(2) else axis
    return one_node(
        "Gather",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        ((*shape[:axis], *count, *shape[axis + 1 :]), 0),
        parameters=(index_tensor("indices", indices, str(rng.choice(["<i4", "<i8"]))),),
        attributes={"axis": written},
    )


def pad(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Constant (given or not), edge and reflected borders."""
    bits = perhaps_float(rng, bits)
    mode = str(rng.choice(["constant", "edge", "reflect"]))
    shape = some_shape(rng, 1, 5 if mode == "constant" else 4)
    if mode == "reflect":
        begins, ends = ([int(rng.integers(0, n)) for n in shape] for _ in range(2))
    else:
        begins, ends = ([int(n) for n in rng.integers(0, 4, len(shape))] for _ in range(2))
    parameters = [index_tensor("pads", [*begins, *ends])]
    exponent = exponent_of(rng, bits, -7, 1)
    if mode == "constant" and rng.integers(2):
        value = index_tensor("value", elements(rng, (1,), bits), dtype_of(bits).numpy.str)
        parameters.append(value)
    result = tuple(n + b + e for n, b, e in zip(shape, begins, ends, strict=True))
    return one_node(
        "Pad",
        target,
        bits,
        {"x": (elements(rng, shape, bits), exponent)},
        (result, exponent),
        parameters=tuple(parameters),
        attributes={"mode": mode},
    )


def blocks(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """DepthToSpace in both modes, and SpaceToDepth."""
    bits = perhaps_float(rng, bits)
    size = int(rng.integers(1, 4))
    height, width, depth = (int(n) for n in rng.integers(1, 5, 3))
    large = (1, height * size, width * size, depth)
    small = (1, height, width, depth * size * size)
    if rng.integers(2):
        x = elements(rng, large, bits)
        attributes: dict[str, object] = {"blocksize": size}
        return one_node(
            "SpaceToDepth", target, bits, {"x": (x, 0)}, (small, 0), attributes=attributes
        )
    attributes = {"blocksize": size, "mode": str(rng.choice(["DCR", "CRD"]))}
    x = elements(rng, small, bits)
    return one_node("DepthToSpace", target, bits, {"x": (x, 0)}, (large, 0), attributes=attributes)


def reverse_sequence(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Each sample's first steps backwards."""
    shape = some_shape(rng, 2, 4)
    batch = int(rng.integers(2))
    lengths = rng.integers(1, shape[1 - batch] + 1, shape[batch])
    return one_node(
        "ReverseSequence",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        (shape, 0),
        parameters=(index_tensor("lengths", lengths),),
        attributes={"batch_axis": batch, "time_axis": 1 - batch},
    )


def scatter(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Updates at random places, several at the same one, with every reduction."""
    bits = perhaps_float(rng, bits)
    shape = some_shape(rng, 1, 4, 5)
    depth = int(rng.integers(1, len(shape) + 1))
    count = some_shape(rng, 1, 2, 4)
    limits = np.array(shape[:depth])
    places = (rng.random((*count, depth)) * limits).astype("<i8")
    updates = elements(rng, (*count, *shape[depth:]), bits)
    return one_node(
        "ScatterND",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0), "u": (updates, 0)},
        (shape, 0),
        parameters=(index_tensor("places", places),),
        attributes={"reduction": str(rng.choice(["none", "add", "mul", "max", "min"]))},
        order=("x", "places", "u"),
    )


def insert_zeros(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """Zeros between neighbours in one or two dimensions."""
    spatial = int(rng.integers(1, 3))
    shape = (1, *image_shape(rng)[1 : 1 + spatial], int(rng.choice([1, 3, 16, 17])))
    stride = [int(n) for n in rng.integers(1, 4, spatial)]
    extra = [int(n) for n in rng.integers(0, 3, spatial)]
    sizes = [(n - 1) * s + 1 + e for n, s, e in zip(shape[1:-1], stride, extra, strict=True)]
    return one_node(
        "InsertZeros",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        ((1, *sizes, shape[-1]), 0),
        attributes={"stride": stride, "output_padding": extra},
    )


def streaming(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """A cache of frames over several runs."""
    bits = perhaps_float(rng, bits)
    rank = int(rng.integers(2, 5))
    axis = int(rng.integers(0, rank - 1))
    shape = (*(1 for _ in range(axis)), *(int(n) for n in rng.integers(1, 7, rank - axis)))
    window = int(rng.integers(1, 7))
    result = (*shape[:axis], shape[axis] + window - 1, *shape[axis + 1 :])
    first = one_node(
        "StreamingCache",
        target,
        bits,
        {"x": (elements(rng, shape, bits), 0)},
        (result, 0),
        attributes={"window_size": window, "frame_axis": axis},
    )
    runs = int(rng.integers(1, 5))
    further = tuple({"x": elements(rng, shape, bits)} for _ in range(runs))
    return RandomModel(first.model, first.inputs, further)


def convert(rng: np.random.Generator, target: Target, bits: int) -> RandomModel:
    """A change of exponent, of width, of both, or from and to float with ties."""
    kind = str(rng.choice(["RequantizeLinear", "QuantizeLinear", "DequantizeLinear"]))
    shape = (1, int(rng.choice([1, 7, 16, 49, 50, 51, 56, 64, 72, 160])))
    x_exp = int(rng.integers(-12, 2))
    if kind == "QuantizeLinear":
        halves = rng.integers(-(1 << bits), 1 << bits, shape) / 2
        x = np.ldexp(halves, x_exp).astype(np.float32)
        return one_node(
            kind, target, FLOAT, {"x": (x, 0)}, (shape, x_exp), output_dtype=dtype_of(bits)
        )
    x = elements(rng, shape, bits)
    if kind == "DequantizeLinear":
        return one_node(kind, target, bits, {"x": (x, x_exp)}, (shape, 0), output_dtype=DType.FLOAT)
    y_exp = x_exp + int(rng.integers(-16, 17) if rng.integers(2) else rng.integers(-4, 9))
    to_bits = int(rng.choice([8, 16]))
    return one_node(
        kind, target, bits, {"x": (x, x_exp)}, (shape, y_exp), output_dtype=dtype_of(to_bits)
    )


MOVES: tuple[Family, ...] = (
    concat,
    transpose,
    view,
    cut,
    split,
    gather,
    pad,
    blocks,
    reverse_sequence,
    scatter,
    insert_zeros,
    streaming,
    convert,
)
