"""A board that plays by the protocol's rules, or breaks them as told, without any I/O."""

from __future__ import annotations

from collections.abc import Callable

from espdl_hil.boards.link import Link
from espdl_hil.transport import LoopbackTransport, ManualClock
from espdl_hil.wire import messages as m
from espdl_hil.wire.codec import decode, encode
from espdl_hil.wire.framing import Frame, FrameDecoder, encode_frame

Handler = Callable[[m.Request], "m.Answer | None"]
Loses = Callable[[int], bool]
"""Told the number of a frame on the line (from 0), says whether it is lost."""


def never(_: int) -> bool:
    return False


class ScriptedBoard:
    """Answers requests by ``handler`` in their order; loses frames as told."""

    def __init__(self, handler: Handler, up: Loses = never, down: Loses = never) -> None:
        self.handler = handler
        self.requests: list[m.Request] = []
        self.queued_bytes = b""
        self._up, self._down = up, down
        self._ups = self._downs = 0
        self._decoder = FrameDecoder()

    def __call__(self, data: bytes) -> bytes:
        out, self.queued_bytes = self.queued_bytes, b""
        for frame in self._decoder.feed(data):
            if not isinstance(frame, Frame):
                continue
            self._ups += 1
            if self._up(self._ups - 1):
                continue
            request = decode(frame)
            self.requests.append(request)
            answer = self.handler(request)
            if answer is not None:
                out += self._sent(answer, frame.seq)
        return out

    def _sent(self, answer: m.Message, seq: int) -> bytes:
        self._downs += 1
        return b"" if self._down(self._downs - 1) else encode_frame(encode(answer, seq))

    def say(self, message: m.Message) -> None:
        """Put a message that nobody asked for on the line."""
        self.queued_bytes += encode_frame(encode(message, 0))


def link_to(board: Callable[[bytes], bytes], window: int = 4) -> tuple[Link, ManualClock]:
    """A link to ``board`` on a clock of its own."""
    clock = ManualClock()
    link = Link(LoopbackTransport(board, clock), first_seq=100, board="scripted", now=clock)
    link.client.window = window
    return link, clock


class Store:
    """The model store of a board: takes a stream, acknowledges cumulatively."""

    def __init__(self, stored: bytes = b"") -> None:
        self.stored = stored

    def __call__(self, request: m.Request) -> m.Answer:
        assert isinstance(request, m.ModelData)
        if request.offset == len(self.stored):
            self.stored += request.data
        return m.ModelProgress(len(self.stored))
