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


@dataclass(frozen=True, slots=True)
class Slice(Plain):
    """A part of a tensor: inputs data, starts, ends, and perhaps axes and steps."""

    op_type: ClassVar[str] = "Slice"
    traits: ClassVar[Traits] = Traits(
        LayoutRule.AXIS, ExponentRule.PASSIVE, index_inputs=(1, 2, 3, 4)
    )

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Bounds for every axis that is cut, in stored axes; steps written out."""
        data = site.inputs[0]
        assert data is not None
        starts, ends = constant_integers(site, 1), constant_integers(site, 2)
        axes = constant_integers(site, 3) or tuple(range(len(starts)))
        steps = constant_integers(site, 4) or (1,) * len(starts)
        stored = tuple(stored_axis(axis, data.perm) for axis in axes)
        parts = {"starts": starts, "ends": ends, "axes": stored, "steps": steps}
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
        """Cut; bounds are clamped to the axis as ONNX says, negative steps run backwards."""
        array = required(inputs, 0).array
        starts, ends = integers(required(inputs, 1)), integers(required(inputs, 2))
        axes = optional_integers(inputs, 3) or tuple(range(len(starts)))
        steps = optional_integers(inputs, 4) or (1,) * len(starts)
        if not len(starts) == len(ends) == len(axes) == len(steps):
            raise ModelError("starts, ends, axes and steps have different lengths")
        cut = [slice(None)] * array.ndim
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if step == 0:
                raise ModelError("a step of 0")
            axis = normal_axis(axis, array.ndim)
            cut[axis] = _bounds(start, end, step, array.shape[axis])
        result = np.ascontiguousarray(array[tuple(cut)])
        if result.size == 0:
            raise ModelError(f"nothing is left of {list(array.shape)}")
        return (result,)


def _bounds(start: int, end: int, step: int, length: int) -> slice:
    """ONNX bounds as Python's: a backward slice that reaches the front ends at ``None``."""
    start, end = (n + length if n < 0 else n for n in (start, end))
    if step > 0:
        return slice(min(max(start, 0), length), min(max(end, 0), length), step)
    start = min(max(start, 0), length - 1)
    return slice(start, None if end < 0 else min(end, length - 1), step)
