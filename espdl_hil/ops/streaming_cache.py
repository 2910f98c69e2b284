"""StreamingCache: frames of earlier runs in front of the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import Execution, ExponentRule, LayoutRule, Operand, Operator, Traits
from espdl_hil.ir.types import Array
from espdl_hil.ops._plain import normal_axis, required


@dataclass(frozen=True, slots=True)
class StreamingCache(Operator):
    """The last ``window_size - 1`` frames of earlier runs, then the frames of this one.

    Attributes:
        window_size: frames that the consumer looks at.
        frame_axis: axis of time in the *stored* tensor.
    """

    op_type: ClassVar[str] = "StreamingCache"
    traits: ClassVar[Traits] = Traits(LayoutRule.PASSIVE, ExponentRule.PASSIVE)

    window_size: int
    frame_axis: int

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> StreamingCache:
        """Parse."""
        window = attributes.integer("window_size")
        if window < 1:
            raise attributes.unsupported("window_size", window, "at least 1")
        return cls(window, attributes.integer("frame_axis", 1))

    def to_attributes(self) -> Mapping[str, Attribute]:
        """Both numbers."""
        return {
            "window_size": Attribute.of(self.window_size),
            "frame_axis": Attribute.of(self.frame_axis),
        }

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Prepend the cache and remember the newest frames until the simulator is reset.

        The runtime copies cache and input as two runs of bytes; that is right only where no axis
        before ``frame_axis`` is longer than 1, so anything else is refused.
        """
        array = required(inputs, 0).array
        axis = normal_axis(self.frame_axis, array.ndim)
        if any(n != 1 for n in array.shape[:axis]):
            raise ModelError(
                f"frame_axis {axis} of {list(array.shape)} is not the outermost",
                hint="the runtime would interleave frames wrongly: move time to the front",
            )
        kept = self.window_size - 1
        shape = (*array.shape[:axis], kept, *array.shape[axis + 1 :])
        cache = at.state.get("cache")
        if cache is None:
            cache = np.zeros(shape, dtype=array.dtype)
        joined = np.concatenate([cache, array], axis=axis)
        newest = joined.shape[axis] - kept
        at.state["cache"] = np.take(joined, range(newest, joined.shape[axis]), axis=axis)
        return (joined,)
