"""What the host wants from the board: tasks that yield requests and take answers.

The law of this file: a task knows neither time nor the window. It may be asked for its next
request whenever there is room, and its answers may come in any order.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from espdl_hil.errors import LocalProtocolError, RemoteProtocolError
from espdl_hil.wire.messages import (
    Answer,
    CaptureBytes,
    Input,
    ModelData,
    ModelProgress,
    OutputBytes,
    ReadCapture,
    ReadOutput,
    Request,
)

T_co = TypeVar("T_co", covariant=True)
ReadRequest = ReadOutput | ReadCapture


class Task(ABC, Generic[T_co]):
    """One or many requests with one result."""

    @abstractmethod
    def next_request(self) -> Request | None:
        """Return another request to send now, or ``None``."""

    @abstractmethod
    def answered(self, request: Request, answer: Answer) -> None:
        """Take the answer to a request of this task."""

    def take_back(self, request: Request) -> bool:
        """Tell that ``request`` or its answer was lost.

        Returns whether the task will ask anew by itself; otherwise the same request is repeated.
        """
        del request
        return False

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the result is complete."""

    @abstractmethod
    def result(self) -> T_co:
        """Return the result; only once ``done``."""


class Ask(Task[Answer]):
    """One request; the result is its answer."""

    def __init__(self, request: Request) -> None:
        self._request: Request | None = request
        self._answer: Answer | None = None

    def next_request(self) -> Request | None:
        """Return the request, once."""
        request, self._request = self._request, None
        return request

    def answered(self, request: Request, answer: Answer) -> None:
        """Keep the answer."""
        del request
        self._answer = answer

    @property
    def done(self) -> bool:
        """Whether the answer is there."""
        return self._answer is not None

    def result(self) -> Answer:
        """Return the answer."""
        if self._answer is None:
            raise LocalProtocolError("the result was taken before the answer came")
        return self._answer


class ChunkSize:
    """How many bytes to put into one frame: fewer while the line damages many frames.

    One object serves all transfers on a line, so that what one learned helps the next. A loss
    halves the size, each piece that passes adds a little: on a line that damages one byte in a
    thousand, pieces of a few hundred bytes pass where 4096 hardly ever do.
    """

    _LEAST_BYTES = 128
    _STEP_BYTES = 64

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.bytes = most_bytes

    def lost(self) -> None:
        """A piece was lost."""
        self.bytes = min(self._most_bytes, max(self._LEAST_BYTES, self.bytes // 2))

    def passed(self) -> None:
        """A piece arrived."""
        self.bytes = min(self._most_bytes, self.bytes + self._STEP_BYTES)


class _Transfer(Task[T_co]):
    """A range of bytes in pieces, any number in flight; lost pieces are cut anew."""

    def __init__(self, start: int, end: int, chunk: ChunkSize) -> None:
        self._chunk = chunk
        # A heap of [start, end): what was lost goes in front of what was never sent.
        self._missing = [(start, end)] if start < end else []

    @abstractmethod
    def _piece(self, start: int, end: int) -> Request:
        """Return the request for these bytes."""

    def _floor(self) -> int:
        """The offset below which nothing is missing, whatever was lost."""
        return 0

    def next_request(self) -> Request | None:
        """Return the missing piece with the lowest offset."""
        while self._missing:
            start, end = heapq.heappop(self._missing)
            while self._missing and self._missing[0][0] == end:
                end = heapq.heappop(self._missing)[1]
            start = max(start, self._floor())
            if start >= end:
                continue
            cut = min(end, start + self._chunk.bytes)
            if cut < end:
                heapq.heappush(self._missing, (cut, end))
            return self._piece(start, cut)
        return None

    def take_back(self, request: Request) -> bool:
        """Mark the piece as missing again."""
        self._chunk.lost()
        heapq.heappush(self._missing, _extent(request))
        return True


class Upload(_Transfer[None]):
    """A coded stream from ``start`` on, which the board acknowledges cumulatively.

    The board drops a piece that does not begin at its next offset, and says so by answering with
    that offset unchanged: such a piece is sent again after the one that was missing.
    """

    def __init__(self, coded: bytes, *, start: int, chunk: ChunkSize) -> None:
        super().__init__(start, len(coded), chunk)
        self._coded = coded
        self._stored = start

    def _piece(self, start: int, end: int) -> Request:
        return ModelData(start, self._coded[start:end])

    def _floor(self) -> int:
        return self._stored

    def answered(self, request: Request, answer: Answer) -> None:
        """Move on to the board's next offset; put a dropped piece back."""
        if not isinstance(answer, ModelProgress) or answer.next_offset > len(self._coded):
            raise RemoteProtocolError(
                f"a stream of {len(self._coded)} bytes was acknowledged by {answer!r}"
            )
        self._chunk.passed()
        self._stored = max(self._stored, answer.next_offset)
        extent = _extent(request)
        if self._stored < extent[1]:
            heapq.heappush(self._missing, extent)

    @property
    def done(self) -> bool:
        """Whether the board has every byte."""
        return self._stored >= len(self._coded)

    def result(self) -> None:
        """Nothing: the stream is there."""


class WriteInput(_Transfer[None]):
    """The bytes of one input."""

    def __init__(self, index: int, data: bytes, chunk: ChunkSize) -> None:
        super().__init__(0, len(data), chunk)
        self._index = index
        self._data = data
        self._written = 0

    def _piece(self, start: int, end: int) -> Request:
        return Input(self._index, start, self._data[start:end])

    def answered(self, request: Request, answer: Answer) -> None:
        """Count the piece."""
        del answer
        self._chunk.passed()
        start, end = _extent(request)
        self._written += end - start

    @property
    def done(self) -> bool:
        """Whether every byte was taken."""
        return self._written == len(self._data)

    def result(self) -> None:
        """Nothing: the input is set."""


class ReadBytes(_Transfer[bytes]):
    """The bytes of an output or a captured value.

    Args:
        size: bytes of the whole.
        chunk: how many of them to ask for at once.
        ask: makes the request for ``(offset, size)``.
    """

    def __init__(self, size: int, chunk: ChunkSize, ask: Callable[[int, int], ReadRequest]) -> None:
        super().__init__(0, size, chunk)
        self._data = bytearray(size)
        self._left = size
        self._ask = ask

    def _piece(self, start: int, end: int) -> Request:
        return self._ask(start, end - start)

    def answered(self, request: Request, answer: Answer) -> None:
        """Put the piece in its place."""
        if not isinstance(answer, OutputBytes | CaptureBytes):
            raise RemoteProtocolError(f"{type(answer).__name__} came where bytes were asked for")
        start, end = _extent(request)
        if len(answer.data) != end - start:
            raise RemoteProtocolError(
                f"{end - start} bytes were asked for at {start}, {len(answer.data)} came"
            )
        if isinstance(answer, CaptureBytes) and answer.whole_size != len(self._data):
            raise RemoteProtocolError(
                f"a captured value has {answer.whole_size} bytes, its shape {len(self._data)}"
            )
        self._chunk.passed()
        self._data[start:end] = answer.data
        self._left -= end - start

    @property
    def done(self) -> bool:
        """Whether every byte is there."""
        return self._left == 0

    def result(self) -> bytes:
        """Return the bytes."""
        return bytes(self._data)


def _extent(request: Request) -> tuple[int, int]:
    if isinstance(request, ModelData | Input):
        return request.offset, request.offset + len(request.data)
    if isinstance(request, ReadOutput | ReadCapture):
        return request.offset, request.offset + request.size
    raise LocalProtocolError(f"{type(request).__name__} is no piece of a transfer")
