"""InsertZeros: zeros between neighbours, as a transposed convolution needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espdl_hil.errors import ModelError
from espdl_hil.ir.attributes import Attribute, Attributes
from espdl_hil.ir.lowered import ValueInfo
from espdl_hil.ir.operator import (
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
from espdl_hil.ops._plain import required


@dataclass(frozen=True, slots=True)
class InsertZeros(Operator):
    """Zeros between neighbours, the first half of a transposed convolution.

    An axis of ``n`` becomes ``(n - 1) * stride + 1 + output_padding``.

    Attributes:
        stride: per spatial axis; empty means ones.
        output_padding: zeros at the end, per spatial axis; empty means none.
    """

    op_type: ClassVar[str] = "InsertZeros"
    traits: ClassVar[Traits] = Traits(LayoutRule.CHANNELS_LAST, ExponentRule.PASSIVE)

    stride: tuple[int, ...]
    output_padding: tuple[int, ...]

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> InsertZeros:
        """Parse."""
        stride = attributes.integers("stride", ())
        if min(stride, default=1) < 1:
            raise attributes.unsupported("stride", list(stride), "positive")
        padding = attributes.integers("output_padding", ())
        if min(padding, default=0) < 0:
            raise attributes.unsupported("output_padding", list(padding), "not negative")
        return cls(stride, padding)

    def to_attributes(self) -> Mapping[str, Attribute]:
        """Both lists."""
        return {
            "stride": Attribute.of(self.stride),
            "output_padding": Attribute.of(self.output_padding),
        }

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """As it is."""
        return self.unchanged()

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Spread ``[1, spatial…, C]``."""
        array = required(inputs, 0).array
        rank = array.ndim - 2
        strides = self.stride or (1,) * rank
        padding = self.output_padding or (0,) * rank
        if not len(strides) == len(padding) == rank:
            raise ModelError(f"{len(strides)} strides for {rank} spatial axes")
        sizes = [
            (n - 1) * stride + 1 + extra
            for n, stride, extra in zip(array.shape[1:-1], strides, padding, strict=True)
        ]
        result = np.zeros((array.shape[0], *sizes, array.shape[-1]), dtype=array.dtype)
        grid = tuple(
            slice(0, (n - 1) * stride + 1, stride)
            for n, stride in zip(array.shape[1:-1], strides, strict=True)
        )
        result[(slice(None), *grid)] = array
        return (result,)
