"""What the host wants from the board: tasks that yield requests and take answers.

The law of this file: a task knows neither time nor the window. It may be asked for its next
request whenever there is room, and its answers may come in any order, or twice for one request.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from espdl_hil.errors import LocalProtocolError, RemoteProtocolError
from espdl_hil.wire.messages import Answer, ModelData, ModelProgress, Request

T_co = TypeVar("T_co", covariant=True)


class Task(ABC, Generic[T_co]):
    """One or many requests with one result."""

    @abstractmethod
    def next_request(self) -> Request | None:
        """Return another request to send now, or ``None``."""

    @abstractmethod
    def answered(self, request: Request, answer: Answer) -> None:
        """Take the answer to a request of this task."""

    def settled(self, request: Request) -> bool:
        """Whether other answers already made ``request`` needless, should it be lost."""
        return False

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the result is complete."""

    @abstractmethod
    def result(self) -> T_co:
        """Return the result; only once ``done``."""


class AskAll(Task[tuple[Answer, ...]]):
    """Independent requests, any number in flight; the result is their answers in order."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._requests = tuple(requests)
        self._answers: dict[int, Answer] = {}
        self._places = {id(request): at for at, request in enumerate(self._requests)}
        if len(self._places) != len(self._requests):
            raise LocalProtocolError("the same request object stands twice in one task")
        self._next = 0

    def next_request(self) -> Request | None:
        """Return the first request that was not sent yet."""
        if self._next == len(self._requests):
            return None
        self._next += 1
        return self._requests[self._next - 1]

    def answered(self, request: Request, answer: Answer) -> None:
        """Keep the answer at its request's place."""
        self._answers[self._places[id(request)]] = answer

    @property
    def done(self) -> bool:
        """Whether every request has its answer."""
        return len(self._answers) == len(self._requests)

    def result(self) -> tuple[Answer, ...]:
        """Return one answer per request, in the order of the requests."""
        return tuple(self._answers[at] for at in range(len(self._requests)))


class Upload(Task[None]):
    """A coded stream from ``start`` on, in chunks that the board acknowledges cumulatively.

    The board drops a chunk that does not begin at its next offset, and says so by answering with
    that offset unchanged: such a chunk is sent again after the one that was missing.
    """

    def __init__(self, coded: bytes, *, start: int, chunk_bytes: int) -> None:
        self._coded = coded
        self._chunk_bytes = chunk_bytes
        # A heap, because a dropped chunk goes in front of those that were never sent.
        self._to_send = list(range(start, len(coded), chunk_bytes))
        self._stored = start

    def next_request(self) -> Request | None:
        """Return the missing chunk with the lowest offset."""
        while self._to_send:
            offset = heapq.heappop(self._to_send)
            request = ModelData(offset, self._coded[offset : offset + self._chunk_bytes])
            if not self.settled(request):
                return request
        return None

    def answered(self, request: Request, answer: Answer) -> None:
        """Move on to the board's next offset; put a dropped chunk back."""
        assert isinstance(request, ModelData) and isinstance(answer, ModelProgress)  # noqa: PT018
        if answer.next_offset > len(self._coded):
            raise RemoteProtocolError(
                f"the board stored up to offset {answer.next_offset} of a stream of "
                f"{len(self._coded)} bytes"
            )
        self._stored = max(self._stored, answer.next_offset)
        if not self.settled(request):
            heapq.heappush(self._to_send, request.offset)

    def settled(self, request: Request) -> bool:
        """Whether the board has the whole chunk."""
        return isinstance(request, ModelData) and (
            self._stored >= request.offset + len(request.data)
        )

    @property
    def stored_bytes(self) -> int:
        """How much of the coded stream the board has."""
        return self._stored

    @property
    def done(self) -> bool:
        """Whether the board has every byte."""
        return self._stored >= len(self._coded)

    def result(self) -> None:
        """Nothing: the stream is there."""
