"""What the reductions share: axes from input 1, kept or dropped, and the board's order."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.freedom import REAL, Undecided, undecided
from espdl_hil.ir.lowered import Tensor, ValueInfo
from espdl_hil.ir.operator import (
    Declared,
    Execution,
    ExponentRule,
    LayoutRule,
    LoweredOperator,
    LoweringSite,
    Operand,
    Operator,
    Traits,
)
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import normal_axis, required
from espdl_hil.ops._shapes import constant_integers, optional_integers, stored_axis
from espdl_hil.targets import Freedom

Self = TypeVar("Self", bound="Reduction")

_RUNS = 4  # of reduced and kept axes that follow each other


ADDING = undecided(
    "a sum in float32", Freedom.REORDERING, dtypes=REAL, source="dl_module_reduce_base.hpp"
)


def reducing(exponents: ExponentRule, undecided: tuple[Undecided, ...] = ADDING) -> Traits:
    """The traits of a reduction: the origin of its exponent, and what the source leaves open."""
    return Traits(
        LayoutRule.AXIS,
        exponents,
        index_inputs=(1,),
        attribute_inputs=(("axes", 1),),
        undecided=undecided,
    )


def running_sum(groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Float sums along the last axis, element after element as in C."""
    return np.add.accumulate(groups, axis=-1)[..., -1]


def group_size(x: Declared | None, output: ValueInfo) -> int:
    """How many elements of ``x`` make one of ``output``."""
    return 0 if x is None else math.prod(x.dims) // max(1, math.prod(output.dims))


def logarithm(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The natural logarithm, rounded once to float32; undefined inputs give -inf or NaN."""
    return np.log(x.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Reduction(Operator):
    """One value from all elements along some axes.

    Attributes:
        keepdims: whether reduced axes stay, with length 1.
        noop_with_empty_axes: whether no axes mean none, instead of all.
    """

    keepdims: int
    noop_with_empty_axes: int

    @classmethod
    def from_attributes(cls: type[Self], attributes: Attributes) -> Self:
        """Parse."""
        return cls(
            keepdims=attributes.integer("keepdims", 1),
            noop_with_empty_axes=attributes.integer("noop_with_empty_axes", 0),
        )

    def to_attributes(self) -> Mapping[str, Attribute]:
        """All attributes."""
        return {
            "keepdims": Attribute.of(self.keepdims),
            "noop_with_empty_axes": Attribute.of(self.noop_with_empty_axes),
        }

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Axes in stored order, ascending."""
        x = site.inputs[0]
        assert x is not None
        axes = constant_integers(site, 1)
        if not axes:
            return LoweredOperator(self.op_type, self.to_attributes(), {})
        stored = np.array(sorted(stored_axis(axis, x.perm) for axis in axes), dtype=np.int64)
        tensor = Tensor.of(f"{site.node}/axes", stored)
        return LoweredOperator(self.op_type, self.to_attributes(), {1: tensor})

    @abstractmethod
    def combine(
        self, groups: npt.NDArray[Any], x: Operand, output: ValueInfo, at: Execution
    ) -> Array:
        """One element from each row of ``groups [..., count]``, in the order of the board."""

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Bring the reduced axes to the end, combine, and shape the result."""
        x = required(inputs, 0)
        rank = x.array.ndim
        axes = optional_integers(inputs, 1)
        if axes:
            reduced = sorted({normal_axis(axis, rank) for axis in axes})
        elif self.noop_with_empty_axes:
            raise ModelError("a reduction along no axes: ESP-DL writes only the first element")
        else:
            reduced = list(range(rank))
        turns = sum((axis in reduced) != (axis + 1 in reduced) for axis in range(rank - 1))
        if turns >= _RUNS:
            raise ModelError(
                f"axes {reduced} of {rank}: ESP-DL handles 4 alternating runs of axes",
                hint="transpose first, so that the reduced axes lie side by side",
            )
        kept = [axis for axis in range(rank) if axis not in reduced]
        count = int(np.prod([x.array.shape[axis] for axis in reduced]))
        shape = [x.array.shape[axis] for axis in kept]
        groups = x.array.transpose(*kept, *reduced).reshape(*shape, count)
        result = self.combine(groups, x, outputs[0], at)
        if self.keepdims:
            shape = [1 if axis in reduced else n for axis, n in enumerate(x.array.shape)]
        # The board has no value without axes.
        return (result.reshape(shape or [1]),)
