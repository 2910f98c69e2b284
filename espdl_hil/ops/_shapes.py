"""What the operators that only move elements share: index inputs and axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.operator import Operand


def first(inputs: Sequence[Operand | None]) -> Operand:
    """Input 0, which every operator has."""
    operand = inputs[0] if inputs else None
    if operand is None:
        raise ModelError("input 0 is missing")
    return operand


def optional_indices(inputs: Sequence[Operand | None], index: int) -> tuple[int, ...] | None:
    """An index input (shape, axes, bounds) as integers; ``None`` where it is omitted.

    Raises:
        ModelError: the input does not hold integers.
    """
    operand = inputs[index] if index < len(inputs) else None
    if operand is None:
        return None
    if not np.issubdtype(operand.array.dtype, np.integer):
        raise ModelError(f"input {index} holds {operand.array.dtype}, expected integers")
    return tuple(int(value) for value in operand.array.ravel())


def indices(inputs: Sequence[Operand | None], index: int) -> tuple[int, ...]:
    """An index input that must be there."""
    found = optional_indices(inputs, index)
    if found is None:
        raise ModelError(f"input {index} is missing")
    return found


def normal_axis(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ModelError: the tensor has no such axis.
    """
    if not -rank <= axis < rank:
        raise ModelError(f"axis {axis} of a tensor with {rank} axes")
    return axis % rank


def stored_axis(axis: int, perm: tuple[int, ...]) -> int:
    """Where ONNX axis ``axis`` lies in a tensor stored with ``perm``."""
    return perm.index(normal_axis(axis, len(perm)))
