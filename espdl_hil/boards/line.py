"""Where a board's line comes from: a port of this machine, a URL, or a process that we start.

The law of this file: it opens, restarts and closes; it sends no byte.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from espdl_hil.boards.discovery import demand_port, find_board
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.virtual_process import VirtualProcess, state_folder
from espdl_hil.errors import BoardError, BoardNotFoundError, TransportError
from espdl_hil.transport import SerialTransport, Terminal, Transport, found_ports

_RETURN_POLL_S = 0.1


class Line(ABC):
    """The way to one board."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What the board's lock is named after: the same for everybody who means this board."""

    @property
    @abstractmethod
    def port(self) -> str:
        """The device or URL to open now.

        Raises:
            BoardError: there is none.
        """

    @abstractmethod
    def open(self) -> None:
        """Make the port exist."""

    @abstractmethod
    def restart(self) -> bool:
        """Restart the board from outside; ``False`` where only its port's lines can do that."""

    @abstractmethod
    def close(self) -> None:
        """Undo ``open``."""

    @contextlib.contextmanager
    def released(self) -> Iterator[str]:
        """Give the port to another program for a while; yields its name."""
        yield self.port

    @abstractmethod
    def transport(self, return_s: float = 0.0) -> Transport:
        """Open the port, waiting up to ``return_s`` for one that is away for a moment.

        Raises:
            BoardError: it cannot be opened.
        """


class PhysicalLine(Line):
    """A port that exists without us: a real board, or a virtual one that somebody else runs."""

    def __init__(self, board: Board) -> None:
        self._board = board
        finding = find_board(board, found_ports())
        self._identity = finding.identity
        self._terminal = Terminal.at(finding.port)

    @property
    def identity(self) -> str:
        """The USB serial number where there is one, else the real device path or the URL."""
        return self._identity

    @property
    def port(self) -> str:
        """Where the board is plugged in now."""
        self._terminal.demand()
        return demand_port(find_board(self._board, found_ports()))

    def open(self) -> None:
        """Nothing to do, but a missing board is told at once."""
        _ = self.port

    def restart(self) -> bool:
        """Only the modem lines of an open port could."""
        return False

    def close(self) -> None:
        """Nothing was made."""

    def transport(self, return_s: float = 0.0) -> Transport:
        """Open the port; a chip's own USB device goes away with each reset and comes back."""
        end = time.monotonic() + return_s
        while True:
            try:
                return SerialTransport(self.port, self._board.baud)
            except (BoardNotFoundError, TransportError):
                if time.monotonic() >= end:
                    raise
                time.sleep(_RETURN_POLL_S)


class VirtualLine(Line):
    """A virtual board that lives as long as this line is open."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._process: VirtualProcess | None = None

    @property
    def identity(self) -> str:
        """The state folder: it is the board's flash."""
        return f"virtual-{state_folder(self._board).resolve()}"

    @property
    def port(self) -> str:
        """The pseudo terminal of the running board."""
        if self._process is None:
            raise BoardError("the virtual board is not running", board=self._board.name)
        # The system gives the name of a dead board's terminal to the next one.
        self._process.check(patience_s=0.0)
        return self._process.announcement.port

    def open(self) -> None:
        """Start the board."""
        self._process = VirtualProcess(self._board)

    def restart(self) -> bool:
        """Power the board off and on."""
        self.close()
        self.open()
        return True

    def close(self) -> None:
        """End the board."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def transport(self, return_s: float = 0.0) -> Transport:
        """Open the pseudo terminal."""
        del return_s
        port = self.port
        try:
            return SerialTransport(port, self._board.baud)
        except BoardNotFoundError:
            assert self._process is not None
            self._process.check()
            raise


def line_of(board: Board) -> Line:
    """Return the way to ``board``; nothing is opened yet."""
    return VirtualLine(board) if board.virtual and not board.port else PhysicalLine(board)
