"""Slice: a part of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import Plain, integers, normal_axis, required
from espdl_hil.ops._shapes import constant_integers, optional_integers, stored_axis

_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class Slice(Plain):
    """A part of a tensor: inputs data, starts, ends, and perhaps axes and steps."""

    op_type: ClassVar[str] = "Slice"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS, ExponentRule.PASSIVE, index_inputs=(1, 2, 3, 4)
    )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Bounds for every axis that is cut, in stored axes and as the board means them."""
        data = site.inputs[0]
        assert data is not None
        starts, ends = constant_integers(site, 1), constant_integers(site, 2)
        axes = constant_integers(site, 3) or tuple(range(len(starts)))
        steps = constant_integers(site, 4) or (1,) * len(starts)
        stored = tuple(stored_axis(axis, data.perm) for axis in axes)
        lengths = tuple(data.shape[normal_axis(axis, len(data.shape))] for axis in axes)
        bounds = [
            _board_bounds(start, end, step, length)
            for start, end, step, length in zip(starts, ends, steps, lengths, strict=True)
        ]
        parts = {
            "starts": [start for start, _ in bounds],
            "ends": [end for _, end in bounds],
            "axes": stored,
            "steps": steps,
        }
        return LoweredOperator(
            self.op_type,
            self.to_attributes(),
            {
                index: Tensor.of(f"{site.node}/{name}", np.array(numbers, dtype=np.int64))
                for index, (name, numbers) in enumerate(parts.items(), start=1)
            },
        )

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Cut as the board does. Source: esp-dl 12c0616 dl_tensor_base.cpp ``_slice``."""
        array = required(inputs, 0).array
        starts, ends = integers(required(inputs, 1)), integers(required(inputs, 2))
        axes = optional_integers(inputs, 3) or tuple(range(len(starts)))
        steps = optional_integers(inputs, 4) or (1,) * len(starts)
        if not len(starts) == len(ends) == len(axes) == len(steps):
            raise ModelError("starts, ends, axes and steps have different lengths")
        cut = [slice(None)] * array.ndim
        backwards = []
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            axis = normal_axis(axis, array.ndim)
            if cut[axis] != slice(None):
                raise ModelError(f"axes {list(axes)} name an axis twice")
            cut[axis] = _as_the_board_reads(start, end, step, array.shape[axis])
            if step < 0:
                backwards.append(axis)
        return (np.ascontiguousarray(np.flip(array[tuple(cut)], tuple(backwards))),)


def _board_bounds(start: int, end: int, step: int, length: int) -> tuple[int, int]:
    """ONNX bounds of one axis as the start and end that make the board take these elements.

    Raises:
        ModelError: no element is left, or a step of 0.
    """
    if step == 0:
        raise ModelError("a step of 0")
    start, end = (n + length if n < 0 else n for n in (start, end))
    if step > 0:
        taken = range(min(max(start, 0), length), min(max(end, 0), length), step)
    else:
        taken = range(min(max(start, 0), length - 1), max(end, -1), step)
    if not taken:
        raise ModelError(f"nothing is left of an axis of {length}")
    if step > 0:
        return taken.start, taken.stop
    # See _as_the_board_reads: n is written as -n - 1.
    return -taken[-1] - 1, -(taken[0] + 1) - 1


def _as_the_board_reads(start: int, end: int, step: int, length: int) -> slice:
    """What the board takes from one axis before it turns the backward axes round.

    With a negative step it replaces both bounds n by -n - 1 and runs *forward* from there. That is
    ONNX's meaning only where the elements lie symmetric in the axis, such as all of them.
    """
    start, end, step = (min(max(n, _INT32.min), _INT32.max) for n in (start, end, step))
    if step < 0:
        start, end, step = -start - 1, -end - 1, -step
    end = min(end, length)
    start, end = (n + length if n < 0 else n for n in (start, end))
    if step == 0 or not 0 <= start < end <= length:
        raise ModelError(
            f"start {start} and end {end} on an axis of {length}: the board does not clamp them",
            hint="write bounds that lie inside the axis",
        )
    return slice(start, end, step)
