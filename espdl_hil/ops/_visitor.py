"""Operators that a model may have before the passes, and that no file may have after them.

The law of this file: what a pass did not take away is refused, with the way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

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


@dataclass(frozen=True, slots=True)
class Visitor(Operator):
    """An operator without a kernel in ESP-DL.

    Attributes:
        hint: what to do where no pass takes it away.
    """

    hint: ClassVar[str]

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Visitor:
        """No attributes."""
        return cls()

    def to_attributes(self) -> Mapping[str, Attribute]:
        """None."""
        return {}

    def check(self, site: LoweringSite) -> None:
        """Refuse."""
        raise ModelError("ESP-DL has no kernel for it", hint=self.hint)

    def lower(self, site: LoweringSite) -> LoweredOperator:
        """Refuse."""
        raise ModelError("ESP-DL has no kernel for it", node=site.node, hint=self.hint)

    def simulate(
        self, inputs: Sequence[Operand | None], outputs: Sequence[ValueInfo], at: Execution
    ) -> tuple[Array, ...]:
        """Never called: no file has it."""
        raise ModelError("ESP-DL has no kernel for it")


@dataclass(frozen=True, slots=True)
class Expand(Visitor):
    """A value repeated along axes of length 1."""

    op_type: ClassVar[str] = "Expand"
    traits: ClassVar[Traits] = Traits(LayoutRule.ONNX, ExponentRule.PASSIVE, index_inputs=(1,))
    hint: ClassVar[str] = "let the operator that reads it broadcast instead"


@dataclass(frozen=True, slots=True)
class Where(Visitor):
    """One of two values by a condition."""

    op_type: ClassVar[str] = "Where"
    traits: ClassVar[Traits] = Traits(LayoutRule.BROADCAST, ExponentRule.CALIBRATED)
    hint: ClassVar[str] = "write it as Relu, Clip or a product with a mask"


VISITORS: Mapping[str, type[Operator]] = MappingProxyType(
    {kind.op_type: kind for kind in (Expand, Where)}
)
"""These operators by name."""
