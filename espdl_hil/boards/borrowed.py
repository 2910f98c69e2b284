"""A board whose port belongs to somebody else: borrowed for a session, given back as it was.

The law of this file: the owner's port object stays the owner's. It is never replaced, and after
``close`` it is open, with its settings.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from espdl_hil.boards.connection import Caller, connect
from espdl_hil.boards.discovery import find_board
from espdl_hil.boards.hearing import Hear
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.line import Line
from espdl_hil.errors import BoardNotFoundError, TransportError
from espdl_hil.runs import BoardIdentity
from espdl_hil.targets import target_named
from espdl_hil.transport import (
    BorrowedSerialTransport,
    Terminal,
    Transport,
    found_ports,
    reopen_port,
)
from espdl_hil.wire import Counters

_RETURN_POLL_S = 0.1
_HELLO_S = 5.0


@dataclass(frozen=True, slots=True)
class Lender:
    """Who has the port.

    Attributes:
        opened: their pyserial port; they do not read it while it is borrowed.
        reset: restarts the board by their means; ``None`` where they have none but the port's
            own lines.
    """

    opened: Any
    reset: Callable[[], None] | None = None

    @property
    def port(self) -> str:
        """The device or URL."""
        return str(self.opened.port)


class BorrowedLine(Line):
    """The way to a board over the lender's port."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._identity = find_board(unknown_board(lender), found_ports()).identity
        self._terminal = _terminal_of(lender)

    @property
    def identity(self) -> str:
        """That of the port, so that a board of the inventory on it is the same board."""
        return self._identity

    @property
    def port(self) -> str:
        """The lender's."""
        return self._lender.port

    def open(self) -> None:
        """It is open."""

    def restart(self) -> bool:
        """Restart by the lender's means."""
        if self._lender.reset is None:
            return False
        self._lender.reset()
        return True

    def close(self) -> None:
        """It stays open."""

    @contextlib.contextmanager
    def released(self) -> Iterator[str]:
        """Close the port while another program has it, and open it again."""
        self._lender.opened.close()
        try:
            yield self.port
        finally:
            self._terminal.demand()
            reopen_port(self._lender.opened)

    def transport(self, return_s: float = 0.0) -> Transport:
        """Take the port; one that went away is opened again as soon as it is back."""
        end = time.monotonic() + return_s
        while True:
            try:
                self._terminal.demand()
                return BorrowedSerialTransport(self._lender.opened, reopen=return_s > 0)
            except (BoardNotFoundError, TransportError):
                if time.monotonic() >= end:
                    raise
                time.sleep(_RETURN_POLL_S)


def _terminal_of(lender: Lender) -> Terminal:
    try:
        return Terminal.at(lender.port, int(lender.opened.fileno()))
    except (AttributeError, OSError):  # it is closed, or has no descriptor
        return Terminal.at(lender.port)


def ask_identity(lender: Lender, hear: Hear | None = None) -> BoardIdentity:
    """Ask the board on a lender's port who it is.

    Raises:
        NoFirmwareError: no runner answers.
        BoardError: any other fault of the bench.
    """
    caller = Caller(unknown_board(lender), random.Random(), Counters(), _HELLO_S, hear=hear)
    connection = connect(caller, BorrowedLine(lender))
    connection.close()
    return connection.identity


def unknown_board(lender: Lender) -> Board:
    """An entry for whatever is on the port; a hello asks for nothing but port and rate."""
    return Board(
        "dut",
        target_named("esp32"),
        virtual=False,
        port=lender.port,
        baud=int(lender.opened.baudrate),
    )
