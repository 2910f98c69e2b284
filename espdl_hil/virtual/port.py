"""What a virtual board's port tells the board, whichever kind of port it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes from the host."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LinesChanged:
    """The host set its control lines."""

    dtr: bool
    rts: bool


@dataclass(frozen=True, slots=True)
class LastClosed:
    """The last client closed the port."""


PortEvent = Received | LinesChanged | LastClosed


class Port(Protocol):
    """A serial port seen from the chip's side.

    Attributes:
        name: what a host opens.
        boots_on_close: the port has no reset lines, so closing it must end the loader.
    """

    name: str
    boots_on_close: bool

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when there is something to receive or send."""

    def receive(self, limit: int) -> list[PortEvent]:
        """Return what happened, with about ``limit`` bytes of data at most; empty when nothing."""

    def send(self, data: bytes) -> int:
        """Send what fits and return its size; without a client everything is lost, and counts."""

    def close(self) -> None:
        """Take the port away."""
