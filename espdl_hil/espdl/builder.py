"""A small flatbuffer builder: a tree of parts in, bytes out.

The law of this file: equal trees give equal bytes, and it knows nothing of ``.espdl``.

Parents are laid out before their children, level by level, so every offset points forward as the
format demands, also to parts that several parents share. Strings follow, and vectors of plain data
come last: what a program walks lies together.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from espdl_hil.espdl.schema import Field

PAYLOAD_ALIGNMENT = 16
_WORD = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number stored in its table; ``code`` is its ``struct`` code."""

    code: str
    value: int | float


@dataclass(frozen=True, slots=True)
class Text:
    """A string; equal strings are stored once."""

    octets: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A vector of plain elements: ``count`` of them, aligned to ``alignment``, zero-padded.

    The same object under several parents is stored once.
    """

    octets: bytes
    count: int
    alignment: int


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """A vector of offsets."""

    items: tuple[Table | Text, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table; the same object under several parents is stored once."""

    fields: tuple[tuple[Field, Part], ...]


Part: TypeAlias = Scalar | Text | Data | Vector | Table


def build(root: Table) -> bytes:
    """The flatbuffer of ``root``: no file identifier, length a multiple of 16."""
    return _Builder().build(root)


class _Builder:
    def __init__(self) -> None:
        self._buffer = bytearray()
        self._vtables: dict[tuple[int, ...], int] = {}
        self._placed: dict[int, int] = {}
        self._branches: deque[tuple[int, Table | Vector]] = deque()
        self._texts: dict[bytes, list[int]] = {}
        self._data: list[tuple[int, Data]] = []

    def build(self, root: Table) -> bytes:
        self._refer(0, root)
        self._buffer += bytes(4)
        while self._branches:
            at, branch = self._branches.popleft()
            start = self._placed.get(id(branch))
            if start is None:
                start = self._placed[id(branch)] = self._place_branch(branch)
            self._patch(at, start)
        for octets, places in self._texts.items():
            start = self._place_text(octets)
            for at in places:
                self._patch(at, start)
        for at, data in self._data:
            start = self._placed.get(id(data))
            if start is None:
                start = self._placed[id(data)] = self._place_data(data)
            self._patch(at, start)
        self._pad(PAYLOAD_ALIGNMENT)
        return bytes(self._buffer)

    def _refer(self, at: int, part: Part) -> None:
        """Remember that the word at ``at`` shall point to ``part``."""
        if isinstance(part, Text):
            self._texts.setdefault(part.octets, []).append(at)
        elif isinstance(part, Data):
            self._data.append((at, part))
        elif isinstance(part, (Table, Vector)):
            self._branches.append((at, part))

    def _patch(self, at: int, start: int) -> None:
        # A part shared between levels would lie before its later parent; offsets are unsigned.
        assert start > at, "a shared part must have its parents on one level"
        _WORD.pack_into(self._buffer, at, start - at)

    def _pad(self, alignment: int, ahead: int = 0) -> None:
        """Append zeros until ``ahead`` bytes further on is a multiple of ``alignment``."""
        self._buffer += bytes(-(len(self._buffer) + ahead) % alignment)

    def _place_branch(self, branch: Table | Vector) -> int:
        return (
            self._place_table(branch) if isinstance(branch, Table) else self._place_vector(branch)
        )

    def _place_table(self, table: Table) -> int:
        sized = [
            (struct.calcsize("<" + part.code) if isinstance(part, Scalar) else 4, field, part)
            for field, part in table.fields
        ]
        # Wide fields first: behind the 4-byte vtable offset each is then aligned to its own size.
        sized.sort(key=lambda item: -item[0])
        offsets = [0] * (1 + max((field.number for field, _ in table.fields), default=-1))
        size_bytes = 4
        for width, field, _ in sized:
            offsets[field.number] = size_bytes
            size_bytes += width
        vtable = self._vtable(size_bytes, offsets)
        widest = max((width for width, _, _ in sized), default=4)
        self._pad(max(widest, 4), ahead=4)
        start = len(self._buffer)
        self._buffer += struct.pack("<i", start - vtable) + bytes(size_bytes - 4)
        for _, field, part in sized:
            at = start + offsets[field.number]
            if isinstance(part, Scalar):
                struct.pack_into("<" + part.code, self._buffer, at, part.value)
            else:
                self._refer(at, part)
        return start

    def _vtable(self, size_bytes: int, offsets: Iterable[int]) -> int:
        shape = (size_bytes, *offsets)
        start = self._vtables.get(shape)
        if start is None:
            self._pad(2)
            start = self._vtables[shape] = len(self._buffer)
            self._buffer += struct.pack(f"<{len(shape) + 1}H", 2 * len(shape) + 2, *shape)
        return start

    def _place_vector(self, vector: Vector) -> int:
        self._pad(4)
        start = len(self._buffer)
        self._buffer += _WORD.pack(len(vector.items)) + bytes(4 * len(vector.items))
        for index, item in enumerate(vector.items):
            self._refer(start + 4 + 4 * index, item)
        return start

    def _place_text(self, octets: bytes) -> int:
        self._pad(4)
        start = len(self._buffer)
        self._buffer += _WORD.pack(len(octets)) + octets + b"\0"
        return start

    def _place_data(self, data: Data) -> int:
        self._pad(max(data.alignment, 4), ahead=4)
        start = len(self._buffer)
        self._buffer += _WORD.pack(data.count)
        self._buffer += data.octets
        self._pad(data.alignment)
        return start
