"""What a board says in words, between and in frames, as whole lines.

The law of this file: bounded, whatever the board says and however the line cuts it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_MOST_LINES = 500
_MOST_CHARACTERS = 4096  # the backtrace of a panic is one line
_MOST_WAITING = 4096

Hear = Callable[[bytes], None]
"""Takes the board's words as they come, lines ended by ``\\r\\n``."""


class Hearing:
    """Collects lines.

    Args:
        hear: also gets every line.
    """

    def __init__(self, hear: Hear | None = None) -> None:
        # Bounded: a board that panics over and over must not fill this machine's memory.
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._waiting = b""
        self._hear = hear

    def take(self) -> tuple[str, ...]:
        """Return the lines since the last call."""
        lines = tuple(self._lines)
        self._lines.clear()
        return lines

    def log(self, level: str, text: str) -> None:
        """Take a line of the firmware's log."""
        self.end()
        self._add(f"{level}: {text}")

    def noise(self, data: bytes) -> None:
        """Take bytes that are no frame: text of a boot loader or a panic, or a damaged frame."""
        if self._waiting and not _is_text(data.partition(b"\n")[0]):
            self.end()
        *whole, rest = (self._waiting + data).split(b"\n")
        self._waiting = b""
        for line in whole:
            self._add_readable(line)
        # A long text comes in pieces; what is no text will not become a line later.
        if _is_text(rest) and len(rest) <= _MOST_WAITING:
            self._waiting = rest
        else:
            self._add_readable(rest)

    def end(self) -> None:
        """Nothing more belongs to the line that is not ended."""
        waiting, self._waiting = self._waiting, b""
        self._add_readable(waiting)

    def _add_readable(self, line: bytes) -> None:
        text = line.decode("ascii", errors="replace")
        readable = "".join(letter for letter in text if letter.isprintable() and letter != "\ufffd")
        if len(readable) >= max(4, len(text) // 2):
            self._add(readable)

    def _add(self, line: str) -> None:
        line = line[:_MOST_CHARACTERS]
        self._lines.append(line)
        if self._hear is not None:
            self._hear(line.encode() + b"\r\n")


def _is_text(data: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte in b"\r\t\x1b" for byte in data)
