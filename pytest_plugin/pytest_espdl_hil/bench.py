"""The bench of one pytest session: each selected board opened once, on its first use.

The law of this file: it opens and closes board sessions and judges nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from espdl_hil.closing import Closing
from espdl_hil.errors import BoardError

if TYPE_CHECKING:  # a pytest run without boards should not pay for serial ports and chips
    from espdl_hil.boards.inventory import Board
    from espdl_hil.boards.session import BoardSession

_LOG = logging.getLogger(__name__)


class Bench(Closing):
    """Sessions by board; a context manager that closes all of them.

    A board that could not be opened is not tried again: each of its tests reports the same reason
    without waiting for another deadline. A board that failed in use is reopened by the next test.
    """

    def __init__(self, boards: tuple[Board, ...], opener: Callable[[Board], BoardSession]) -> None:
        """Take ``boards`` and the function that opens one; nothing is opened yet."""
        self.boards = boards
        self._open = opener
        self._sessions: dict[str, BoardSession] = {}
        self._dead: dict[str, BoardError] = {}

    def session(self, board: Board) -> BoardSession:
        """The open session of ``board``.

        Raises:
            BoardError: the board cannot be opened.
        """
        if board.name in self._dead:
            raise self._dead[board.name]
        if board.name not in self._sessions:
            try:
                self._sessions[board.name] = self._open(board)
            except BoardError as error:
                self._dead[board.name] = error
                raise
        return self._sessions[board.name]

    def distrust(self, board: Board) -> None:
        """Close the session of a board that failed in use; the next use opens it anew."""
        session = self._sessions.pop(board.name, None)
        if session is not None:
            # It failed already; what the test reports is the first error, not this one.
            with suppress(BoardError, OSError):
                session.close()

    def close(self) -> None:
        """Close every session, the later ones too where an earlier one fails to close."""
        while self._sessions:
            name, session = self._sessions.popitem()
            try:
                session.close()
            except (BoardError, OSError) as error:
                _LOG.warning("board %r did not close cleanly: %s", name, error)
