"""Carries tasks out on a transport: the loop between the client's time and the line's bytes.

The law of this file: it decides nothing. When to send, repeat and give up is the client's
business; how bytes travel is the transport's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from espdl_hil.boards.hearing import Hear, Hearing
from espdl_hil.boards.naming import located
from espdl_hil.errors import BoardError
from espdl_hil.transport import Transport
from espdl_hil.wire import Alive, Client, Counters, Log, LogLevel, Noise, Pace, Task

T = TypeVar("T")


class Link:
    """One open line with a client on it.

    Args:
        transport: closed by ``close``.
        first_seq: a random start for sequence numbers.
        board: the board's name, put into every error that passes here.
        now: the clock of all deadlines.
        counters: to count on; ``None`` begins anew.
        hear: gets the board's words as they come.

    Attributes:
        transport: the line.
        client: the client on it.
        until: when every task has failed, even if the board lives; ``None`` never.
        alive_node: the node that the board's last sign of life named; whoever starts a run
            forgets it.
    """

    def __init__(
        self,
        transport: Transport,
        first_seq: int,
        board: str = "",
        now: Callable[[], float] = time.monotonic,
        counters: Counters | None = None,
        hear: Hear | None = None,
    ) -> None:
        self.transport = transport
        self.client = Client(first_seq, counters)
        self.until: float | None = None
        self.alive_node: int | None = None
        self._board = board
        self._now = now
        self._watch: Callable[[bytes], None] | None = None
        self._hearing = Hearing(hear)

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
        return self._hearing.take()

    def drain(self) -> None:
        """Forget what is in flight; half a frame, or text that no frame ended, becomes log."""
        self.client.line_lost()
        self._note_events()
        self._hearing.end()

    def close(self) -> None:
        """Close the transport."""
        self.drain()
        self.transport.close()

    def _note_events(self) -> None:
        for event in self.client.take_events():
            match event:
                case Log(level=level, text=text):
                    self._hearing.log(_level_name(level), text)
                case Noise(data=data):
                    self._hearing.noise(data)
                case Alive(node_index=node):
                    self.alive_node = node


def _level_name(level: int) -> str:
    return LogLevel(level).name.lower() if level in set(LogLevel) else f"level {level}"
