"""One direction of a serial line in time: its rate and its delay. No I/O, no clock.

The law of this file: bytes come out in the order in which they went in, none before its time.
"""

from __future__ import annotations

from collections import deque

_BITS_PER_BYTE = 10
# A slice of a hundredth of a second keeps waiting short and wake-ups few.
_SLICES_PER_SECOND = 100


class Line:
    """A line with a rate and a delay.

    Args:
        baud: bits per second, ten to a byte; ``None`` does not limit.
        delay_s: added to every byte.
    """

    def __init__(self, baud: int | None = None, delay_s: float = 0.0) -> None:
        self._bytes_per_s = baud / _BITS_PER_BYTE if baud else None
        self._slice = (
            max(1, int(self._bytes_per_s / _SLICES_PER_SECOND)) if self._bytes_per_s else 0
        )
        self.delay_s = delay_s
        self._queue: deque[tuple[float, bytes]] = deque()
        self._free_at_s = 0.0
        self.waiting_bytes = 0

    @property
    def due_s(self) -> float | None:
        """When the next byte comes out; ``None`` with nothing inside."""
        return self._queue[0][0] if self._queue else None

    def push(self, data: bytes, now_s: float) -> None:
        """Put bytes on the line."""
        if not data:
            return
        self.waiting_bytes += len(data)
        if self._bytes_per_s is None:
            self._queue.append((now_s + self.delay_s, data))
            return
        self._free_at_s = max(self._free_at_s, now_s)
        for start in range(0, len(data), self._slice):
            piece = data[start : start + self._slice]
            self._free_at_s += len(piece) / self._bytes_per_s
            self._queue.append((self._free_at_s + self.delay_s, piece))

    def pop(self, now_s: float) -> bytes:
        """Take the bytes whose time has come."""
        ready = []
        while self._queue and self._queue[0][0] <= now_s:
            ready.append(self._queue.popleft()[1])
        data = b"".join(ready)
        self.waiting_bytes -= len(data)
        return data

    def clear(self) -> None:
        """Forget what is on the line."""
        self._queue.clear()
        self.waiting_bytes = 0
        self._free_at_s = 0.0
