"""The small interface between the wire and a line of bytes; every transport passes one contract.

The law of this package: bytes go in and out, unchanged or as a fault was asked for. It knows no
frames, and only its serial module imports ``serial``.
"""

from __future__ import annotations

from abc import abstractmethod

from espdl_hil.closing import Closing


class Transport(Closing):
    """An open line to one board; a context manager that closes it."""

    @property
    @abstractmethod
    def port(self) -> str:
        """What the line is called in messages: a device, a URL, a program."""

    @abstractmethod
    def read(self, deadline_s: float) -> bytes:
        """Return the bytes that are there, waiting up to ``deadline_s`` for the first.

        Returns ``b""`` where nothing came in time.

        Raises:
            DisconnectedError: the line is gone for good; everything that came was read before.
        """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write all of ``data``.

        Raises:
            DisconnectedError: the line is gone.
            DeadlineError: nobody takes the bytes.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the line back; more than once is allowed, and nothing is raised."""

    def reset(self) -> bool:
        """Restart the board by whatever line the transport has; ``False`` where it has none."""
        return False

    def set_baud(self, baud: int) -> None:
        """Change the line rate; nothing happens where the line has no rate."""
        del baud
