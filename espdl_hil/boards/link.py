"""Carries tasks out on a transport: the loop between the client's time and the line's bytes.

The law of this file: it decides nothing. When to send, repeat and give up is the client's
business; how bytes travel is the transport's.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

from espdl_hil.boards.naming import located
from espdl_hil.errors import BoardError
from espdl_hil.transport import Transport
from espdl_hil.wire import Alive, Client, Counters, Log, LogLevel, Noise, Pace, Task

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
        counters: to count on; ``None`` begins anew.

    Attributes:
        transport: the line.
        client: the client on it.
        until: when every task has failed, even if the board lives; ``None`` never.
    """

    def __init__(
        self,
        transport: Transport,
        first_seq: int,
        board: str = "",
        now: Callable[[], float] = time.monotonic,
        counters: Counters | None = None,
    ) -> None:
        self.transport = transport
        self.client = Client(first_seq, counters)
        self.until: float | None = None
        self._board = board
        self._now = now
        self._watch: Callable[[bytes], None] | None = None
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
                    if self._watch is not None:
                        self._watch(data)
        except BoardError as error:
            self._note_events()
            raise located(error, self._board, self.transport.port) from error.__cause__
        return task.result()

    @contextlib.contextmanager
    def watched(self, watch: Callable[[bytes], None]) -> Iterator[None]:
        """Let ``watch`` see raw bytes as they come; what it raises ends the task."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = None

    def take_log(self) -> tuple[str, ...]:
        """Return what the board said in words since the last call."""
        lines = tuple(self._log)
        self._log.clear()
        return lines

    def drain(self) -> None:
        """Forget what is in flight; half a frame, or text that no frame ended, becomes log."""
        self.client.line_lost()
        self._note_events()

    def close(self) -> None:
        """Close the transport."""
        self.drain()
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
