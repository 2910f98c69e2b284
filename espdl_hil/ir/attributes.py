"""Node attributes: typed values, and an accessor that turns a wrong one into a named error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias, Union

from espdl_hil.errors import ModelError, UnsupportedAttributeError

if TYPE_CHECKING:
    from espdl_hil.ir.lowered import Tensor

AttributeValue: TypeAlias = Union[
    int, float, str, bytes, tuple[int, ...], tuple[float, ...], tuple[str, ...], "Tensor"
]


class AttributeKind(IntEnum):
    """The attribute types that we read and write; the numbers are those of ``.espdl`` and ONNX."""

    FLOAT = 1
    INT = 2
    STRING = 3
    TENSOR = 4
    FLOATS = 6
    INTS = 7
    STRINGS = 8


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its kind and its value.

    STRING values are ``str``, or ``bytes`` where they are not UTF-8.
    """

    kind: AttributeKind
    value: AttributeValue

    @classmethod
    def of(cls, value: int | float | str | Sequence[int] | Sequence[float]) -> Attribute:
        """The attribute of a Python value, by its type; ``bool`` is INT, an empty list INTS."""
        if isinstance(value, str):
            return cls(AttributeKind.STRING, value)
        if isinstance(value, (bool, int)):
            return cls(AttributeKind.INT, int(value))
        if isinstance(value, float):
            return cls(AttributeKind.FLOAT, value)
        items = tuple(value)
        if any(isinstance(item, float) for item in items):
            return cls(AttributeKind.FLOATS, tuple(float(item) for item in items))
        return cls(AttributeKind.INTS, tuple(int(item) for item in items))


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of one node, read by name and type; errors name the node.

    Used at the two doors (ONNX import, ``.espdl`` execution), so that an operator is parsed once
    and trusted afterwards. A getter without ``default`` demands the attribute.
    """

    node: str
    op_type: str
    items: Mapping[str, Attribute]
    opset: int | None = None

    def __contains__(self, name: str) -> bool:
        return name in self.items

    def integer(self, name: str, default: int | None = None) -> int:
        """An INT attribute."""
        value = self._get(name, AttributeKind.INT, default)
        assert isinstance(value, int)
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A FLOAT attribute."""
        value = self._get(name, AttributeKind.FLOAT, default)
        assert isinstance(value, float)
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A STRING attribute."""
        value = self._get(name, AttributeKind.STRING, default)
        if not isinstance(value, str):
            raise ModelError(
                f"attribute {name!r} of {self.op_type} is no text: {value!r}", node=self.node
            )
        return value

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """An INTS attribute."""
        fallback = None if default is None else tuple(default)
        value = self._get(name, AttributeKind.INTS, fallback)
        assert isinstance(value, tuple)
        return tuple(int(item) for item in value)

    def unsupported(self, name: str, got: object, allowed: str) -> UnsupportedAttributeError:
        """The error for a value that this operator does not support."""
        return UnsupportedAttributeError(name, got, allowed, node=self.node)

    def _get(
        self, name: str, kind: AttributeKind, default: AttributeValue | None
    ) -> AttributeValue:
        found = self.items.get(name)
        if found is None:
            if default is None:
                raise ModelError(f"{self.op_type} lacks its attribute {name!r}", node=self.node)
            return default
        if found.kind is not kind:
            raise ModelError(
                f"attribute {name!r} of {self.op_type} is {found.kind.name}, expected {kind.name}",
                node=self.node,
            )
        return found.value
