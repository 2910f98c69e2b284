"""Carries tasks out on a transport: the loop between the client's time and the line's bytes.

The law of this file: it decides nothing. When to send, repeat and give up is the client's
business; how bytes travel is the transport's.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from espdl_hil.errors import BoardError
from espdl_hil.transport import Transport
from espdl_hil.wire import Alive, Client, Event, Log, LogLevel, Noise, Pace, Task

T = TypeVar("T")
_LOG_LINES = 500
_LOG_LINE_CHARACTERS = 400


class Link:
    """One open line with a client on it.

    Args:
        transport: closed by ``close``.
        first_seq: a random start for sequence numbers.
        board: the board's name, put into every error that passes here.
        now: the clock of all deadlines.
        on_event: sees log lines, signs of life and noise as they come.
    """

    def __init__(
        self,
        transport: Transport,
        first_seq: int,
        board: str = "",
        now: Callable[[], float] = time.monotonic,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.transport = transport
        self.client = Client(first_seq)
        self.until: float | None = None
        self._board = board
        self._now = now
        self._on_event = on_event
        # Bounded: a board that panics over and over must not fill this machine's memory.
        self._log: deque[str] = deque(maxlen=_LOG_LINES)

    def perform(self, task: Task[T], pace: Pace) -> T:
        """Carry out ``task``; stop at ``until`` even if the board lives.

        Raises:
            BoardError: any of its kinds, with the board and the port filled in.
        """
        client = self.client
        try:
            client.start(task, self._now(), pace=pace, until=self.until)
            while not client.done:
                out = client.poll(self._now())
                if out:
                    self.transport.write(out)
                data = self.transport.read(client.wake_at() - self._now())
                if data:
                    client.receive(data, self._now())
                    self._note_events()
        except BoardError as error:
            self._note_events()
            raise located(error, self._board, self.transport.port) from error.__cause__
        return task.result()

    def take_log(self) -> tuple[str, ...]:
        """Return what the board said in words since the last call."""
        lines = tuple(self._log)
        self._log.clear()
        return lines

    def close(self) -> None:
        """Close the transport; what was half received becomes log."""
        self.client.line_lost()
        self._note_events()
        self.transport.close()

    def _note_events(self) -> None:
        for event in self.client.take_events():
            match event:
                case Log(level=level, text=text):
                    self._log.append(f"{_level_name(level)}: {text}"[:_LOG_LINE_CHARACTERS])
                case Noise(data=data):
                    self._log.extend(_printable_lines(data))
                case Alive():
                    pass
            if self._on_event is not None:
                self._on_event(event)


def located(error: BoardError, board: str, port: str) -> BoardError:
    """Return ``error`` with board and port filled in where they are missing."""
    if not error.board:
        error.board = board
    if not error.port:
        error.port = port
    place = [f"board {error.board!r}"] if error.board else []
    if error.port:
        place.append(f"port {error.port}")
    error.where = ", ".join(place)
    return error


def _level_name(level: int) -> str:
    return LogLevel(level).name.lower() if level in set(LogLevel) else f"level {level}"


def _printable_lines(data: bytes) -> list[str]:
    """Return the lines of ``data`` that a person could have written."""
    lines = []
    for line in data.decode("ascii", errors="replace").splitlines():
        text = "".join(letter for letter in line if letter.isprintable() and letter != "\ufffd")
        if len(text) >= max(4, len(line) // 2):
            lines.append(text[:_LOG_LINE_CHARACTERS])
    return lines
