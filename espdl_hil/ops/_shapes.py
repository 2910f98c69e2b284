"""What the operators that only move elements share."""

from __future__ import annotations

from collections.abc import Sequence

from espdl_hil.errors import ModelError
from espdl_hil.ir.operator import LoweringSite, Operand
from espdl_hil.ops._plain import integers, normal_axis


def optional_integers(inputs: Sequence[Operand | None], index: int) -> tuple[int, ...] | None:
    """An index input as integers; ``None`` where the node omits it."""
    operand = inputs[index] if index < len(inputs) else None
    return None if operand is None else integers(operand)


def stored_axis(axis: int, perm: tuple[int, ...]) -> int:
    """Where ONNX axis ``axis`` lies in a tensor stored with ``perm``."""
    return perm.index(normal_axis(axis, len(perm)))


def constant_integers(site: LoweringSite, index: int) -> tuple[int, ...]:
    """A constant index input as integers; empty where the node omits it."""
    given = site.inputs[index] if index < len(site.inputs) else None
    if given is None:
        return ()
    if given.constant is None:
        raise ModelError(f"input {index} is computed at run time", hint="it must be a constant")
    return tuple(int(n) for n in given.constant.ravel())
