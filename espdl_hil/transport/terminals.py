"""Pseudo terminals end with their other side, and the system gives their names away again.

The law of this file: a name leads to a board only while the terminal behind it is the same one. All
other ports keep their names: what comes back there is what went away.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from espdl_hil.errors import BoardNotFoundError

_TERMINALS = "/dev/pts/"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What is behind the name of a port.

    Attributes:
        port: device path or URL.
        birth: when a pseudo terminal was made, in nanoseconds; ``None`` for any other port, also
            for a link to a terminal: whoever keeps the link lets it point to the next one.
    """

    port: str
    birth: int | None

    @staticmethod
    def at(port: str, descriptor: int | None = None) -> Terminal:
        """Return what is at ``port`` now; an open ``descriptor`` knows better than the name."""
        if not port.startswith(_TERMINALS):
            return Terminal(port, None)
        try:
            found = Path(port).stat() if descriptor is None else os.fstat(descriptor)
        except OSError:
            return Terminal(port, None)
        return Terminal(port, found.st_ctime_ns)

    def demand(self) -> None:
        """Make sure that the name still means this terminal.

        Raises:
            BoardNotFoundError: it is gone, whether or not another one has its name.
        """
        if self.birth is not None and Terminal.at(self.port) != self:
            raise BoardNotFoundError(
                "the terminal is gone",
                port=self.port,
                hint="did the program at its other side, a virtual board, end? start it again",
            )
