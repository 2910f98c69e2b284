"""A bad cable in front of any transport: bytes are lost, flipped, late, or the line is cut.

The law of this file: equal seeds and equal traffic give equal damage.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from espdl_hil.errors import DisconnectedError
from espdl_hil.transport.base import Transport


@dataclass(frozen=True, slots=True)
class LineFaults:
    """How bad the cable is.

    Attributes:
        drop: probability that a byte is lost.
        flip: probability that one bit of a byte is flipped.
        delay_s: how much later bytes from the board arrive.
        cut_after_bytes: bytes of both directions after which the line is gone; ``None`` never.
    """

    drop: float = 0.0
    flip: float = 0.0
    delay_s: float = 0.0
    cut_after_bytes: int | None = None


class FaultyTransport(Transport):
    """``inner`` behind a bad cable.

    Args:
        inner: the line that works; closed with this one.
        faults: the damage, the same in both directions.
        rng: its source, seeded by the caller.
        now: the clock that delays are measured by.
    """

    def __init__(
        self,
        inner: Transport,
        faults: LineFaults,
        rng: random.Random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._faults = faults
        self._rng = rng
        self._now = now
        self._late: list[tuple[float, bytes]] = []
        self._passed_bytes = 0

    @property
    def port(self) -> str:
        """The inner line's name."""
        return self._inner.port

    def read(self, deadline_s: float) -> bytes:
        """Return what survived the cable and whose time has come."""
        end = self._now() + deadline_s
        while True:
            due = self._late[0][0] if self._late else end
            wait_s = max(0.0, min(end, due) - self._now())
            self._check_cut()
            data = self._damaged(self._inner.read(wait_s))
            now = self._now()
            if data:
                self._late.append((now + self._faults.delay_s, data))
            ready = b"".join(piece for time_s, piece in self._late if time_s <= now)
            self._late = [late for late in self._late if late[0] > now]
            if ready or now >= end:
                return ready

    def write(self, data: bytes) -> None:
        """Write what survives the cable."""
        self._check_cut()
        survived = self._damaged(data)
        if survived:
            self._inner.write(survived)

    def close(self) -> None:
        """Close the inner line."""
        self._inner.close()

    def reset(self) -> bool:
        """Reset by the inner line: the fault is in the data wires."""
        return self._inner.reset()

    def set_baud(self, baud: int) -> None:
        """Change the inner line's rate."""
        self._inner.set_baud(baud)

    def _check_cut(self) -> None:
        limit = self._faults.cut_after_bytes
        if limit is not None and self._passed_bytes >= limit:
            self._inner.close()
            raise DisconnectedError("the line was cut", port=self.port)

    def _damaged(self, data: bytes) -> bytes:
        if self._faults.cut_after_bytes is not None:
            data = data[: self._faults.cut_after_bytes - self._passed_bytes]
        self._passed_bytes += len(data)
        hurt = bytearray(data)
        for at in self._hits(len(hurt), self._faults.flip):
            hurt[at] ^= 1 << self._rng.randrange(8)
        for at in reversed(self._hits(len(hurt), self._faults.drop)):
            del hurt[at]
        return bytes(hurt)

    def _hits(self, count: int, probability: float) -> list[int]:
        if probability <= 0.0:
            return []
        return [at for at in range(count) if self._rng.random() < probability]
