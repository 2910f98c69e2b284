"""Messages to frames and back, from one table that reads like docs/protocol.md.

The law of this file: encoding and decoding walk the same table, so that they cannot disagree.
Decoding is bounded by the frame it reads, and a malformed body is a ``RemoteProtocolError``.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from espdl_hil.errors import LocalProtocolError, RemoteProtocolError
from espdl_hil.wire import messages as m
from espdl_hil.wire.framing import MAX_BODY_BYTES, Frame

ANSWER_BIT = 0x80
ERROR_TYPE = 0xFF


class _MalformedError(Exception):
    """A field does not fit; the caller knows the message and turns this into a typed error."""


class _Cursor:
    """Reads a body from front to back, never past its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._body):
            raise _MalformedError(
                f"{size} bytes wanted at {self._at}, {len(self._body)} in the body"
            )
        piece = self._body[self._at : end]
        self._at = end
        return piece

    def rest(self) -> bytes:
        return self.take(self.left)

    @property
    def left(self) -> int:
        return len(self._body) - self._at


@dataclass(frozen=True, slots=True)
class _Field:
    """One entry of the table: how a value is written and how it is read."""

    write: Callable[[Any], bytes]
    read: Callable[[_Cursor], Any]


def _number(layout: str) -> _Field:
    packer = struct.Struct("<" + layout)

    def write(value: int) -> bytes:
        try:
            return packer.pack(value)
        except struct.error as cause:
            raise _MalformedError(f"{value!r}: {cause}") from cause

    def read(cursor: _Cursor) -> int:
        number: int = packer.unpack(cursor.take(packer.size))[0]
        return number

    return _Field(write, read)


def _raw(size: int) -> _Field:
    def write(value: bytes) -> bytes:
        if len(value) != size:
            raise _MalformedError(f"{len(value)} bytes given, {size} expected")
        return value

    return _Field(write, lambda cursor: cursor.take(size))


def _string(count: _Field) -> _Field:
    def write(value: str) -> bytes:
        data = value.encode()
        return count.write(len(data)) + data

    # A damaged name must still reach the person who reads the log: replace, do not refuse.
    return _Field(write, lambda cursor: cursor.take(count.read(cursor)).decode(errors="replace"))


def _many(count: _Field, item: _Field) -> _Field:
    def write(values: tuple[Any, ...]) -> bytes:
        return count.write(len(values)) + b"".join(item.write(value) for value in values)

    def read(cursor: _Cursor) -> tuple[Any, ...]:
        # The body bounds the loop: each item takes at least one byte or the cursor stops us.
        return tuple(item.read(cursor) for _ in range(count.read(cursor)))

    return _Field(write, read)


def _struct(kind: type[Any], *fields: _Field) -> _Field:
    names = [field.name for field in dataclasses.fields(kind)]
    if len(names) != len(fields):
        raise AssertionError(f"{kind.__name__}: {len(names)} fields, {len(fields)} in the table")

    def write(value: object) -> bytes:
        return b"".join(
            field.write(getattr(value, name)) for name, field in zip(names, fields, strict=True)
        )

    return _Field(write, lambda cursor: kind(*[field.read(cursor) for field in fields]))


def _until_end(item: _Field) -> _Field:
    def read(cursor: _Cursor) -> tuple[Any, ...]:
        items = []
        while cursor.left:
            items.append(item.read(cursor))
        return tuple(items)

    return _Field(lambda values: b"".join(item.write(value) for value in values), read)


_U8, _U16, _U32, _U64, _I16 = (_number(layout) for layout in "BHIQh")
_SHA256, _MAC, _DIGEST = _raw(m.SHA256_BYTES), _raw(6), _raw(8)
_STRING = _string(_U16)
_BYTES = _Field(bytes, _Cursor.rest)
_TEXT = _Field(str.encode, lambda cursor: cursor.rest().decode(errors="replace"))
_DIMS = _many(_U8, _U32)
_TENSOR = _struct(m.TensorDescription, _STRING, _U8, _I16, _DIMS, _U32)
_TENSORS = _many(_U16, _TENSOR)
_REGIONS = _many(_U8, _struct(m.Region, _STRING, _U32, _U32, _U32))
_ENGINES = _many(_U8, _struct(m.EngineEntry, _U8, _STRING, _STRING))
_FACTS = _many(_U8, _struct(m.Fact, _STRING, _STRING))
_ROW = _struct(m.NodeRow, _STRING, _STRING, _STRING, _U8, _I16, _DIMS, _DIGEST, _U32)
_IDENTITY = (
    *(_U8, _U8, _U8, _U16, _STRING, _STRING, _MAC, _SHA256, _STRING, _STRING),
    *(_ENGINES, _many(_U8, _SHA256), _REGIONS, _FACTS),
)

_BODIES: dict[int, tuple[type[Any], _Field]] = {
    number: (kind, _struct(kind, *fields))
    for number, kind, *fields in (
        (0x01, m.Hello, _U8, _U8),
        (0x02, m.ModelBegin, _SHA256, _U32, _U32, _U8),
        (0x03, m.ModelData, _U32, _BYTES),
        (0x04, m.ModelCommit, _SHA256),
        (0x05, m.Load, _SHA256, _U8),
        (0x06, m.Outputs),
        (0x07, m.Input, _U16, _U32, _BYTES),
        (0x08, m.TestInputs),
        (0x09, m.Capture, _U8, _STRING),
        (0x0A, m.Run, _U32, _U16, _U16, _U8, _U8),
        (0x0B, m.Nodes, _U32, _U32),
        (0x0C, m.Latencies, _U32, _U16),
        (0x0D, m.ReadOutput, _U32, _U16, _U32, _U16),
        (0x0E, m.ReadCapture, _U32, _U8, _U32, _U16),
        (0x0F, m.Memory),
        (0x10, m.ResetState),
        (0x11, m.ModelErase, _SHA256),
        (0x12, m.Reboot),
        (0x13, m.Baud, _U32),
        (0x70, m.Log, _U8, _TEXT),
        (0x71, m.Alive, _U32, _U32, _U16),
        (0x81, m.Identity, *_IDENTITY),
        (0x82, m.ModelState, _U8, _U32),
        (0x83, m.ModelProgress, _U32),
        (0x84, m.ModelCommitted),
        (0x85, m.Loaded, _U32, _TENSORS),
        (0x86, m.OutputList, _TENSORS),
        (0x87, m.InputTaken),
        (0x88, m.TestInputsTaken),
        (0x89, m.CaptureSet),
        (0x8A, m.RunDone, _U32, _SHA256, _U16, _U64, _I16),
        (0x8B, m.NodeRows, _U32, _until_end(_ROW)),
        (0x8C, m.LatencyList, _many(_U16, _U32)),
        (0x8D, m.OutputBytes, _BYTES),
        (0x8E, m.CaptureBytes, _U32, _BYTES),
        (0x8F, m.MemoryReport, _REGIONS),
        (0x90, m.StateReset),
        (0x91, m.ModelErased),
        (0x92, m.Rebooting),
        (0x93, m.BaudAccepted),
        (ERROR_TYPE, m.Refusal, _U8, _U8, _U32, _STRING, _STRING),
    )
}
_NUMBERS = {kind: number for number, (kind, _) in _BODIES.items()}


def type_number(kind: type[m.Message]) -> int:
    """Return the message type on the wire."""
    return _NUMBERS[kind]


def type_name(number: int) -> str:
    """Return a name for a message type that a person can look up."""
    entry = _BODIES.get(number)
    return entry[0].__name__ if entry else f"type {number:#04x}"


def answer_kind(request: m.Request) -> type[m.Answer]:
    """Return the message that answers ``request`` when all is well."""
    kind: type[m.Answer] = _BODIES[type_number(type(request)) | ANSWER_BIT][0]
    return kind


def encode(message: m.Message, seq: int) -> Frame:
    """Return the frame of ``message``.

    Raises:
        LocalProtocolError: a field does not fit; the caller made a message that cannot be said.
    """
    number = type_number(type(message))
    try:
        body = _BODIES[number][1].write(message)
    except _MalformedError as cause:
        raise LocalProtocolError(f"{type(message).__name__} cannot be encoded: {cause}") from cause
    if len(body) > MAX_BODY_BYTES:
        raise LocalProtocolError(
            f"{type(message).__name__} has {len(body)} bytes, a frame holds {MAX_BODY_BYTES}"
        )
    return Frame(number, seq, body)


def decode(frame: Frame) -> m.Message:
    """Return the message in ``frame``.

    Raises:
        RemoteProtocolError: an unknown type, a body that ends too early, or bytes left over.
    """
    entry = _BODIES.get(frame.type)
    if entry is None:
        raise RemoteProtocolError(
            f"message of unknown {type_name(frame.type)}",
            hint="the firmware is probably newer or older than this program; flash it again",
        )
    kind, field = entry
    cursor = _Cursor(frame.body)
    try:
        message: m.Message = field.read(cursor)
    except _MalformedError as cause:
        raise RemoteProtocolError(f"malformed {kind.__name__}: {cause}") from cause
    if cursor.left:
        raise RemoteProtocolError(f"malformed {kind.__name__}: {cursor.left} bytes left over")
    return message
