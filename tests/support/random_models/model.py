"""A random one-node ``.espdl`` model: how it is put together, and integers that hit edges.

The law of this package: everything comes from the given generator, so a seed names a model. The
models are built as the format says, without the quantizer, so that they reach integers that a
calibrated model seldom reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor, ValueInfo
from espdl_hil.ir.types import Array, DType
from espdl_hil.targets import Target

CHANNELS = (1, 3, 7, 8, 15, 16, 17, 31, 32, 33)
FLOAT = 32
"""The width that stands for float32 where an operator has a float path."""

_QUANT_TYPE = {8: "S8", 16: "S16", FLOAT: "F32"}
_INTEGER_TYPES = (DType.INT8, DType.INT16)


@dataclass(frozen=True)
class RandomModel:
    """A model and what goes into it.

    Attributes:
        model: one node.
        inputs: of the first run.
        further: inputs of the runs after it, without a reset in between.
    """

    model: LoweredModel
    inputs: Mapping[str, Array]
    further: tuple[Mapping[str, Array], ...] = ()

    @property
    def op_type(self) -> str:
        return self.model.nodes[0].op_type

    @property
    def bits(self) -> int:
        """Width of the first input: 8, 16, or ``FLOAT``."""
        dtype = self.model.values[self.model.inputs[0]].dtype
        return 8 * dtype.numpy.itemsize if dtype in _INTEGER_TYPES else FLOAT


Family: TypeAlias = Callable[[np.random.Generator, Target, int], RandomModel]
"""Makes a random model for a target and an integer width."""


def dtype_of(bits: int) -> DType:
    """The element type of ``bits``; ``FLOAT`` gives float32."""
    return DType.FLOAT if bits == FLOAT else DType.integer(bits)


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


def elements(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> Array:
    """Integers of ``bits``, or float32: normal, or small halves that meet ties and zeros."""
    if bits != FLOAT:
        return integers(rng, shape, bits)
    if rng.integers(2):
        return rng.normal(0, 3, shape).astype(np.float32)
    return (rng.integers(-8, 9, shape) / 2).astype(np.float32)


def perhaps_float(rng: np.random.Generator, bits: int) -> int:
    """``bits``, or now and then ``FLOAT``."""
    return FLOAT if rng.integers(4) == 0 else bits


def exponent_of(rng: np.random.Generator, bits: int, low: int, high: int) -> int:
    """An exponent from ``low`` up to, not including, ``high``; 0 for floats."""
    return 0 if bits == FLOAT else int(rng.integers(low, high))


def some_shape(rng: np.random.Generator, low: int, high: int, largest: int = 6) -> tuple[int, ...]:
    """Between ``low`` and ``high`` axes of up to ``largest`` elements."""
    rank = int(rng.integers(low, high + 1))
    return tuple(int(n) for n in rng.integers(1, largest + 1, rank))


def image_shape(rng: np.random.Generator, largest: int = 6) -> tuple[int, ...]:
    """``[1, H, W, C]``, channel counts around the vector length."""
    height, width = (int(n) for n in rng.integers(1, largest + 1, 2))
    return (1, height, width, int(rng.choice(CHANNELS)))


def index_tensor(name: str, numbers: object, dtype: str = "<i8") -> Tensor:
    """A shape, axes or bounds."""
    return Tensor.of(name, np.array(numbers, dtype=dtype))


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
    """A model of one node with one output, ``y``; see ``many_outputs``."""
    dtype = output_dtype or dtype_of(bits)
    return many_outputs(
        op_type,
        target,
        bits,
        inputs,
        {"y": (dtype, *output)},
        parameters=parameters,
        attributes=attributes,
        order=order,
    )


def many_outputs(
    op_type: str,
    target: Target,
    bits: int,
    inputs: Mapping[str, tuple[Array, int]],
    outputs: Mapping[str, tuple[DType, tuple[int, ...], int]],
    *,
    parameters: tuple[Tensor, ...] = (),
    attributes: Mapping[str, object] | None = None,
    order: tuple[str, ...] = (),
) -> RandomModel:
    """A model of one node.

    Args:
        op_type: as ESP-DL registers it.
        target: named in the metadata.
        bits: for the ``quant_type`` attribute.
        inputs: (elements, exponent) by name.
        outputs: (type, shape, exponent) by name.
        parameters: constants; one called ``table`` is no input.
        attributes: beside ``quant_type``.
        order: names of the node's inputs; by default ``inputs``, then ``parameters``.
    """
    written = {"quant_type": _QUANT_TYPE[bits], **(attributes or {})}
    values = {
        name: ValueInfo(name, DType.of(array.dtype), array.shape, (exponent,))
        for name, (array, exponent) in inputs.items()
    }
    for name, (dtype, shape, exponent) in outputs.items():
        values[name] = ValueInfo(name, dtype, shape, (exponent,))
    node = LoweredNode(
        "node",
        op_type,
        order or (*inputs, *(tensor.name for tensor in parameters if tensor.name != "table")),
        tuple(outputs),
        {key: Attribute.of(value) for key, value in sorted(written.items())},  # type: ignore[arg-type]
    )
    model = LoweredModel(
        name=f"random_{op_type}",
        nodes=(node,),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        values=values,
        parameters={tensor.name: tensor for tensor in parameters},
        metadata={"target": target.name},
    )
    return RandomModel(model, {name: array for name, (array, _) in inputs.items()})
