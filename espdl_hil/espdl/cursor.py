"""Bounded access to the tables of an untrusted flatbuffer.

The law of this file: no byte is read before its position is checked, every failure is a
``FormatError`` with the byte offset and the field, and the bytes handed out in total stay below a
small multiple of the file's size, however often the file refers to the same place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from espdl_hil.errors import FormatError
from espdl_hil.espdl.schema import Field
from espdl_hil.ir.types import Array

_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
_SCALARS = {code: struct.Struct("<" + code) for code in "bBiqf"}

_TABLE_COST = 64
_STRING_COST = 32
_BUDGET_FACTOR = 8
_BUDGET_FLOOR = 4096


class Cursor:
    """The payload of one model: checked reads by position.

    Args:
        payload: the flatbuffer, without the file header.
        base: offset of the payload in the file, for messages.
        hint: what to try, added to every message.
    """

    __slots__ = ("_base", "_budget", "_hint", "_size", "_texts", "payload")

    def __init__(self, payload: bytes | memoryview, *, base: int, hint: str = "") -> None:
        self.payload = memoryview(payload)
        self._size = len(payload)
        self._base = base
        self._hint = hint
        # A table becomes an object of more bytes than it has in the file, so it costs more; even a
        # file of nothing but the smallest tables (dimensions) stays below this factor. The floor
        # serves files of a few bytes.
        self._budget = _BUDGET_FACTOR * self._size + _BUDGET_FLOOR
        self._texts: dict[int, str] = {}

    def root(self) -> Table:
        """The root table."""
        position = self.uint32(0, "root")
        return self.table(position, "model")

    def error(self, what: str, position: int, field: str) -> FormatError:
        """The error for something wrong at ``position`` of the payload."""
        return FormatError(what, offset=self._base + position, field=field, hint=self._hint)

    def spend(self, size_bytes: int, position: int, field: str) -> None:
        """Account for decoded bytes; ``FormatError`` once they exceed any honest file."""
        self._budget -= size_bytes
        if self._budget < 0:
            raise self.error("the same bytes are referred to too often", position, field)

    def require(self, position: int, size_bytes: int, field: str) -> None:
        """Check that ``size_bytes`` at ``position`` lie inside the payload."""
        if position < 0 or size_bytes > self._size - position:
            raise self.error(
                f"{size_bytes} bytes at {self._base + position} leave the payload, which ends at "
                f"{self._base + self._size}",
                min(max(position, 0), self._size),
                field,
            )

    def uint32(self, position: int, field: str) -> int:
        """An unsigned 32-bit word."""
        self.require(position, 4, field)
        value: int = _UINT32.unpack_from(self.payload, position)[0]
        return value

    def uint16(self, position: int, field: str) -> int:
        """An unsigned 16-bit word."""
        self.require(position, 2, field)
        value: int = _UINT16.unpack_from(self.payload, position)[0]
        return value

    def reference(self, position: int, field: str) -> int:
        """Where the offset stored at ``position`` points to."""
        offset = self.uint32(position, field)
        target = position + offset
        if offset == 0 or target > self._size - 4:
            raise self.error(f"offset {offset} leads outside the payload", position, field)
        return target

    def vector(self, position: int, element_bytes: int, field: str) -> tuple[int, int]:
        """Start and element count of the vector at ``position``, all elements inside."""
        count = self.uint32(position, field)
        start = position + 4
        if count * element_bytes > self._size - start:
            raise self.error(
                f"{count} elements of {element_bytes} bytes leave the payload", position, field
            )
        self.spend(count * element_bytes, position, field)
        return start, count

    def text(self, position: int, field: str) -> str:
        """The UTF-8 string at ``position``; one object however often it is referred to."""
        known = self._texts.get(position)
        if known is not None:
            return known
        start, count = self.vector(position, 1, field)
        self.spend(_STRING_COST, position, field)
        self.require(start, count + 1, field)
        if self.payload[start + count] != 0:
            raise self.error("the string lacks its terminating zero", start + count, field)
        try:
            text = str(self.payload[start : start + count], "utf-8")
        except UnicodeDecodeError as cause:
            raise self.error("the string is not UTF-8", start + cause.start, field) from cause
        self._texts[position] = text
        return text

    def table(self, position: int, path: str) -> Table:
        """The table at ``position``; its vtable is checked here, its fields when read."""
        self.require(position, 4, path)
        distance: int = _INT32.unpack_from(self.payload, position)[0]
        vtable = position - distance
        if vtable < 0 or vtable > self._size - 4:
            raise self.error("the vtable lies outside the payload", position, path)
        vtable_bytes = self.uint16(vtable, path)
        table_bytes = self.uint16(vtable + 2, path)
        if vtable_bytes < 4 or vtable_bytes % 2 or vtable_bytes > self._size - vtable:
            raise self.error(f"a vtable of {vtable_bytes} bytes is impossible", vtable, path)
        if table_bytes < 4 or table_bytes > self._size - position:
            raise self.error(f"a table of {table_bytes} bytes is impossible", vtable + 2, path)
        self.spend(_TABLE_COST, position, path)
        return Table(self, position, vtable, vtable_bytes, table_bytes, path)


class Table:
    """One flatbuffer table: its fields by the schema's numbers; an absent field is ``None``.

    ``path`` names the table from the root, as in ``model.graph.node[3]``.
    """

    __slots__ = ("_cursor", "_table_bytes", "_vtable", "_vtable_bytes", "path", "position")

    def __init__(
        self,
        cursor: Cursor,
        position: int,
        vtable: int,
        vtable_bytes: int,
        table_bytes: int,
        path: str,
    ) -> None:
        self._cursor = cursor
        self._vtable = vtable
        self._vtable_bytes = vtable_bytes
        self._table_bytes = table_bytes
        self.position = position
        self.path = path

    def error(self, what: str, field: Field | None = None) -> FormatError:
        """The error for something wrong with a field, or with the whole table."""
        if field is None:
            return self._cursor.error(what, self.position, self.path)
        position = self._locate(field, 1)
        at = self.position if position is None else position
        return self._cursor.error(what, at, self._name(field))

    def scalar(self, field: Field, code: str) -> int | None:
        """An integer field by its ``struct`` code (``b``, ``B``, ``i``, ``q``)."""
        layout = _SCALARS[code]
        position = self._locate(field, layout.size)
        if position is None:
            return None
        value: int = layout.unpack_from(self._cursor.payload, position)[0]
        return value

    def real(self, field: Field) -> float | None:
        """A float32 field."""
        layout = _SCALARS["f"]
        position = self._locate(field, layout.size)
        if position is None:
            return None
        value: float = layout.unpack_from(self._cursor.payload, position)[0]
        return value

    def text(self, field: Field) -> str | None:
        """A string field."""
        position = self._follow(field)
        return None if position is None else self._cursor.text(position, self._name(field))

    def table(self, field: Field) -> Table | None:
        """A field that refers to another table."""
        position = self._follow(field)
        return None if position is None else self._cursor.table(position, self._name(field))

    def octets(self, field: Field, *, block: int = 1) -> bytes | memoryview | None:
        """A vector of ``block``-byte elements as one view of the payload.

        Blocks larger than one byte must be aligned to their size from the payload's start: the
        board's vector unit ignores the low address bits and would read other bytes.
        """
        position = self._follow(field)
        if position is None:
            return None
        start, count = self._cursor.vector(position, block, self._name(field))
        if start % block:
            raise self._cursor.error(
                f"the data are not aligned to {block} bytes", start, self._name(field)
            )
        return self._cursor.payload[start : start + count * block]

    def numbers(self, field: Field, dtype: str) -> Array | None:
        """A vector of numbers of a numpy dtype (little endian)."""
        position = self._follow(field)
        if position is None:
            return None
        element = np.dtype(dtype)
        start, count = self._cursor.vector(position, element.itemsize, self._name(field))
        return np.frombuffer(self._cursor.payload, element, count, start)

    def texts(self, field: Field) -> Iterator[str]:
        """The strings of a vector of strings; none where the field is absent."""
        for position, name in self._references(field):
            yield self._cursor.text(position, name)

    def tables(self, field: Field) -> Iterator[Table]:
        """The tables of a vector of tables; none where the field is absent."""
        for position, name in self._references(field):
            yield self._cursor.table(position, name)

    def __contains__(self, field: Field) -> bool:
        return self._locate(field, 1) is not None

    def _references(self, field: Field) -> Iterator[tuple[int, str]]:
        position = self._follow(field)
        if position is None:
            return
        name = self._name(field)
        start, count = self._cursor.vector(position, 4, name)
        for index in range(count):
            element = f"{name}[{index}]"
            yield self._cursor.reference(start + 4 * index, element), element

    def _follow(self, field: Field) -> int | None:
        position = self._locate(field, 4)
        return None if position is None else self._cursor.reference(position, self._name(field))

    def _locate(self, field: Field, size_bytes: int) -> int | None:
        slot = 4 + 2 * field.number
        if slot + 2 > self._vtable_bytes:
            return None
        offset: int = _UINT16.unpack_from(self._cursor.payload, self._vtable + slot)[0]
        if offset == 0:
            return None
        if offset < 4 or offset + size_bytes > self._table_bytes:
            raise self._cursor.error(
                f"the field lies at {offset} of a table of {self._table_bytes} bytes",
                self._vtable + slot,
                self._name(field),
            )
        return self.position + offset

    def _name(self, field: Field) -> str:
        return f"{self.path}.{field.name}"
