"""A serial line in simulated time: every byte takes its ten bits, every turn-round its latency.

The law of this file: no real time passes and none is looked at, so that equal questions give equal
times on every machine. Both directions carry bytes at once; the board works on one frame at a time
while further ones arrive, as a UART's buffer lets it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from espdl_hil.transport import Transport
from espdl_hil.transport.loopback import ManualClock

BITS_PER_BYTE = 10
"""Start, eight data bits, stop."""

Board = Callable[[bytes], tuple[bytes, float]]
"""Takes a whole frame; returns what it writes, and how many seconds it worked for that."""


@dataclass(slots=True)
class Traffic:
    """What crossed the line."""

    bytes_up: int = 0
    bytes_down: int = 0
    frames_up: int = 0
    most_waiting_bytes: int = 0
    """Most bytes that had come to the board and had not been worked on: its buffer's need."""
    _waiting: list[tuple[float, int]] = field(default_factory=list)

    def arrived(self, at: float, size: int, taken_at: float) -> None:
        """Note a frame that the board takes from its buffer at ``taken_at``."""
        self._waiting = [one for one in self._waiting if one[0] > at]
        self._waiting.append((taken_at, size))
        waiting = sum(one[1] for one in self._waiting)
        self.most_waiting_bytes = max(self.most_waiting_bytes, waiting)


class PacedLine(Transport):
    """A line to ``board`` at ``baud``, eight data bits, no parity, one stop bit.

    Args:
        board: the other end.
        clock: the time of everything above; moved on by waiting.
        baud: bits per second in each direction.
        latency_s: of each direction: USB frames, drivers, the bridge's timer.
    """

    def __init__(
        self, board: Board, clock: ManualClock, *, baud: int, latency_s: float = 0.001
    ) -> None:
        self.traffic = Traffic()
        self._board = board
        self._clock = clock
        self._byte_s = BITS_PER_BYTE / baud
        self._latency_s = latency_s
        self._up_free = 0.0
        self._board_free = 0.0
        self._down_free = 0.0
        self._coming: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()

    @property
    def port(self) -> str:
        """A name for messages."""
        return "simulated"

    def write(self, data: bytes) -> None:
        """Queue ``data`` behind what the line still carries; returns at once, as a driver does."""
        for frame in _frames(data):
            self._up_free = max(self._up_free, self._clock()) + len(frame) * self._byte_s
            self._carry(frame, self._up_free + self._latency_s)

    def read(self, deadline_s: float) -> bytes:
        """Return what arrives next, its time come; ``b""`` when ``deadline_s`` has passed."""
        until = self._clock() + max(deadline_s, 0.0)
        if not self._coming or self._coming[0][0] > until:
            self._clock.advance(until - self._clock())
            return b""
        at, _, data = heapq.heappop(self._coming)
        self._clock.advance(at - self._clock())
        return data

    def close(self) -> None:
        """Nothing is open."""

    def _carry(self, frame: bytes, arrives: float) -> None:
        begins = max(arrives, self._board_free)
        answer, worked_s = self._board(frame)
        self._board_free = begins + worked_s
        self.traffic.bytes_up += len(frame)
        self.traffic.frames_up += 1
        self.traffic.arrived(arrives, len(frame), self._board_free)
        if answer:
            self._down_free = max(self._down_free, self._board_free) + len(answer) * self._byte_s
            heapq.heappush(
                self._coming, (self._down_free + self._latency_s, next(self._order), answer)
            )
            self.traffic.bytes_down += len(answer)


def _frames(data: bytes) -> list[bytes]:
    """Cut bytes after the zero that ends each frame; the host writes whole frames only."""
    pieces = [b"\0" + piece + b"\0" for piece in data.split(b"\0") if piece]
    assert sum(map(len, pieces)) == len(data), "not whole frames, each between its own zeros"
    return pieces
