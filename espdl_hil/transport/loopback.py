"""A line inside this process: a peer function answers, and waiting costs no time.

The law of this file: single-threaded and deterministic. Reading from an empty line moves the given
clock on by the deadline, so that everything above runs on one time that the caller owns.
"""

from __future__ import annotations

from collections.abc import Callable

from espdl_hil.errors import DisconnectedError
from espdl_hil.transport.base import Transport

Peer = Callable[[bytes], bytes]
"""Takes what was written and returns what is to be read; called with ``b""`` when time passes."""


class ManualClock:
    """A clock that stands still until someone moves it; call it for the time in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the present."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += max(seconds, 0.0)


class LoopbackTransport(Transport):
    """A line to ``peer``.

    Args:
        peer: the other end.
        clock: moved on while a read waits in vain.
        name: what messages call the line.
    """

    def __init__(self, peer: Peer, clock: ManualClock, name: str = "loopback") -> None:
        self._peer = peer
        self._clock = clock
        self._name = name
        self._pending = bytearray()
        self._open = True

    @property
    def port(self) -> str:
        """The name given."""
        return self._name

    def read(self, deadline_s: float) -> bytes:
        """Return what the peer said; where it is silent, the deadline passes at once."""
        self._check_open()
        if not self._pending:
            self._pending += self._peer(b"")
        if not self._pending:
            self._clock.advance(deadline_s)
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def write(self, data: bytes) -> None:
        """Hand ``data`` to the peer and keep its answer."""
        self._check_open()
        self._pending += self._peer(data)

    def close(self) -> None:
        """Make every further use fail."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise DisconnectedError("the line is closed", port=self._name)
