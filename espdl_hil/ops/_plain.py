"""Operators without attributes, and the small parsing that several operators share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.operator import Operand, Operator

_NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})
Self = TypeVar("Self", bound="Plain")


@dataclass(frozen=True, slots=True)
class Plain(Operator):
    """An operator that its inputs describe completely."""

    @classmethod
    def from_attributes(cls: type[Self], attributes: Attributes) -> Self:
        """There is nothing to parse; unknown attributes do not concern the board."""
        return cls()

    def to_attributes(self) -> Mapping[str, Attribute]:
        """None."""
        return _NO_ATTRIBUTES


def required(inputs: Sequence[Operand | None], index: int) -> Operand:
    """Input ``index``; ``ModelError`` where the node omits it."""
    operand = inputs[index] if index < len(inputs) else None
    if operand is None:
        raise ModelError(f"input {index} is missing")
    return operand


def optional(inputs: Sequence[Operand | None], index: int) -> Operand | None:
    """Input ``index``, or ``None`` where the node omits it or an empty tensor stands for it."""
    operand = inputs[index] if index < len(inputs) else None
    return None if operand is None or operand.array.size == 0 else operand


def integers(operand: Operand) -> tuple[int, ...]:
    """A shape, axes or bounds: all elements of an integer operand."""
    if operand.array.dtype.kind not in "iu":
        raise ModelError(f"expected integers, found {operand.array.dtype}")
    return tuple(int(n) for n in operand.array.ravel())


def normal_axis(axis: int, rank: int) -> int:
    """``axis`` counted from the front; ``ModelError`` where it does not exist."""
    if not -rank <= axis < rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions")
    return axis % rank
