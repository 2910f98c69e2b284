"""Input sets: the file's own, seeded random ones over the full range, and evaluation samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from espdl_hil.errors import ConfigError
from espdl_hil.ir.lowered import LoweredModel, ValueInfo
from espdl_hil.ir.types import Array, DType
from espdl_hil.lowering import stored_axes, to_stored
from espdl_hil.suite import EvaluationData
from espdl_hil.targets import Target

_QUANTIZED = (DType.INT8, DType.INT16, DType.UINT8, DType.UINT16)
_FLOATS = (DType.FLOAT, DType.DOUBLE, DType.FLOAT16)


@dataclass(frozen=True, slots=True)
class Vector:
    """One input set.

    Attributes:
        name: for messages: ``"file"``, ``"random-0"``, ``"sample-17"``, ``"given"``.
        inputs: integers by input name, in stored layout; ``None`` for the file's own.
    """

    name: str
    inputs: Mapping[str, Array] | None


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Evaluation samples as the model takes them, and as they came.

    Attributes:
        vectors: one per sample.
        arrays: float samples by input name, samples first.
        labels: one per sample.
    """

    vectors: tuple[Vector, ...]
    arrays: Mapping[str, Array]
    labels: Array


def own_vectors(model: LoweredModel) -> tuple[Vector, ...]:
    """The test inputs of the file, where it has all of them."""
    given = {tensor.name for tensor in model.test_inputs}
    return (Vector("file", None),) if given >= set(model.inputs) else ()


def random_vectors(model: LoweredModel, count: int, seed: int) -> tuple[Vector, ...]:
    """Input sets over the full range of each integer type; equal seeds give equal sets."""
    rng = np.random.default_rng(seed)
    return tuple(
        Vector(
            f"random-{index}",
            {name: _random(model.values[name], rng) for name in model.inputs},
        )
        for index in range(count)
    )


def evaluation_set(
    model: LoweredModel, target: Target, data: EvaluationData, arrays: Mapping[str, Array]
) -> EvaluationSet:
    """The samples of ``arrays`` in the model's integers.

    Args:
        model: what will run.
        target: its rounding quantizes the inputs.
        data: which labels and how many samples.
        arrays: content of the data file.

    Raises:
        ConfigError: an input or the labels are missing, their numbers differ, or a sample has
            not the shape of its input.
    """
    for name in (*model.inputs, data.labels):
        if name not in arrays:
            known = ", ".join(sorted(arrays))
            raise ConfigError(f"holds no array {name!r}", file=data.data, hint=f"it has: {known}")
    sizes = {name: len(arrays[name]) for name in (*model.inputs, data.labels)}
    if len(set(sizes.values())) != 1:
        raise ConfigError(f"the arrays have different numbers of samples: {sizes}", file=data.data)
    count = min(sizes[data.labels], data.samples or sizes[data.labels])
    if not count:
        raise ConfigError("holds no samples", file=data.data)
    samples = {name: arrays[name][:count] for name in model.inputs}
    shapes = {name: _sample_shape(model, name, arrays[name], data) for name in model.inputs}
    vectors = tuple(
        Vector(
            f"sample-{index}",
            {
                name: to_stored(model, name, samples[name][index].reshape(shape), target)
                for name, shape in shapes.items()
            },
        )
        for index in range(count)
    )
    return EvaluationSet(vectors, samples, arrays[data.labels][:count])


def _sample_shape(
    model: LoweredModel, name: str, array: Array, data: EvaluationData
) -> tuple[int, ...]:
    """The shape of an input in ONNX order, which samples have with or without its batch of 1."""
    dims = model.values[name].dims
    order = np.argsort(stored_axes(model.metadata, name, len(dims)))
    shape = tuple(dims[int(axis)] for axis in order)
    if array.shape[1:] not in (shape, shape[1:] if shape[:1] == (1,) else shape):
        raise ConfigError(
            f"a sample of {name!r} has shape {list(array.shape[1:])}, the input {list(shape)}",
            file=data.data,
            hint="arrays hold the samples first: [samples, ...input shape]",
        )
    return shape


def _random(info: ValueInfo, rng: np.random.Generator) -> Array:
    dtype = info.dtype.numpy
    if info.dtype in _QUANTIZED:
        # Every byte pattern of an integer type is one of its values, equally likely.
        return np.frombuffer(
            rng.bytes(int(np.prod(info.dims)) * dtype.itemsize), dtype=dtype
        ).reshape(info.dims)
    if info.dtype in _FLOATS:
        return rng.standard_normal(info.dims).astype(dtype)
    # Indices and conditions: 0 and 1 are in range of whatever they select from.
    return rng.integers(0, 2, size=info.dims).astype(dtype)
