"""Elementwise operators on two inputs: broadcasting, and the shape that picks their kernel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, LoweredOperator, LoweringSite, Operand
from espdl_hil.ir.types import Array
from espdl_hil.numerics import saturate
from espdl_hil.ops._plain import Plain, required

_INFINITE = 1e30  # what masks write for infinity; no board's exponents reach it
_LOOPS = 4  # nested loops of ESP-DL's elementwise kernels


@dataclass(frozen=True, slots=True)
class Broadcast:
    """How the kernels see two operands after they merge axes that broadcast alike.

    Attributes:
        inner: length of the innermost loop.
        left: elements of the left operand in it: ``inner`` or 1.
        right: elements of the right operand in it: ``inner`` or 1.
    """

    inner: int
    left: int
    right: int


def merged(left: tuple[int, ...], right: tuple[int, ...]) -> Broadcast:
    """Merge neighbouring axes as ESP-DL does.

    Raises:
        ModelError: the shapes do not broadcast, or need more than four loops.

    Source: esp-dl 12c0616 dl_base_elemwise.cpp ``get_elemwise_operation_args``.
    """
    try:
        rank = len(np.broadcast_shapes(left, right))
    except ValueError:
        raise ModelError(f"shapes {left} and {right} do not broadcast") from None
    a = [1] * (rank - len(left)) + list(left)
    b = [1] * (rank - len(right)) + list(right)
    groups: list[tuple[int, int]] = []
    for pair in zip(a, b, strict=True):
        if groups and _alike(groups[-1], pair):
            groups[-1] = (groups[-1][0] * pair[0], groups[-1][1] * pair[1])
        else:
            groups.append(pair)
    if len(groups) > _LOOPS:
        raise ModelError(
            f"broadcasting {left} with {right} needs {len(groups)} nested loops, ESP-DL has 4",
            hint="reshape so that fewer axes alternate",
        )
    last = groups[-1] if groups else (1, 1)
    return Broadcast(max(last), *last)


def _alike(first: tuple[int, int], second: tuple[int, int]) -> bool:
    return (
        (first[0] == first[1] and second[0] == second[1])
        or (first[0] == 1 and second[0] == 1)
        or (first[1] == 1 and second[1] == 1)
    )


def pair_of(inputs: Sequence[Operand | None]) -> tuple[Operand, Operand]:
    """Both operands; ``ModelError`` where their types differ or a shape does not broadcast."""
    left, right = required(inputs, 0), required(inputs, 1)
    if left.array.dtype != right.array.dtype:
        raise ModelError(f"operands of {left.array.dtype} and {right.array.dtype}")
    merged(left.array.shape, right.array.shape)
    return left, right


def refuse_deep(site: LoweringSite) -> None:
    """Refuse two operands whose broadcasting needs more loops than ESP-DL has."""
    left, right = site.inputs[0], site.inputs[1]
    assert left is not None
    assert right is not None
    merged(left.shape, right.shape)


@dataclass(frozen=True, slots=True)
class RawArithmetic(Plain):
    """An operator that works on raw integers, whatever the exponents say, and saturates."""

    @abstractmethod
    def combine(self, left: npt.NDArray[np.generic], right: npt.NDArray[np.generic]) -> Array:
        """Combine wide integers, or floats."""

    def check(self, site: LoweringSite) -> None:
        """Refuse broadcasting beyond what the kernels loop over, and masks of infinity."""
        refuse_deep(site)
        for given in site.inputs[:2]:
            if given is not None and given.constant is not None:
                largest = float(np.abs(given.constant.astype(np.float64)).max(initial=0.0))
                if largest >= _INFINITE:
                    raise ModelError(
                        f"the constant {given.name!r} holds {largest:.0e} or infinity",
                        hint="a mask must be added right in front of a softmax; else bound it",
                    )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Combine in 32 bits and saturate; floats as they are."""
        left, right = pair_of(inputs)
        if left.array.dtype.kind == "f":
            return (self.combine(left.array, right.array),)
        wide = self.combine(left.array.astype(np.int32), right.array.astype(np.int32))
        return (saturate(wide, outputs[0].dtype.numpy),)
