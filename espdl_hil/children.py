"""Programs of ours as child processes: started, heard, and ended with their parent.

The law of this file: nothing is left behind. A child's standard input is its lifeline: it ends with
this process, however that ends. What went wrong in a child is raised here as what it was there.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

from espdl_hil.errors import BoardBusyError, BoardError, ConfigError

_START_DEADLINE_S = 30.0
_GOODBYE_S = 5.0
_TERMINATE_S = 2.0
LAST_MOMENT_S = 1.0
_READ_BYTES = 4096
_COMPLAINT_BYTES = 2000


class BoardChild:
    """A virtual board's process, which announces itself by one line of JSON.

    Args:
        command: program and arguments.
        name: of the board, for messages.
        where: what a wrong option is blamed on: an entry of an inventory, or the board.
        verbose: what the child says goes to standard error; otherwise it is kept for messages.

    Attributes:
        process: the running program; its standard output says nothing after the announcement.
        announcement: what it said about itself.

    Raises:
        BoardBusyError: another process runs this board.
        ConfigError: an option is wrong.
        BoardError: it did not start.
    """

    def __init__(
        self, command: Sequence[str], *, name: str, where: str, verbose: bool = False
    ) -> None:
        self._name = name
        self._where = where
        # A file, not a pipe: nobody reads it while the child lives, and it must never block.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with us
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if verbose else self._words,
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle
            )
        except BaseException:
            self._words.close()
            raise
        try:
            self.announcement = self._read_announcement()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the child and wait until it is gone; more than once is allowed."""
        end_child(self.process)
        self._words.close()

    def check(self, patience_s: float = LAST_MOMENT_S) -> None:
        """Raise why the child ended, where it did by itself; the constructor's errors.

        Args:
            patience_s: its port goes first, its exit code comes a moment later.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s)
        if self.process.returncode is not None:
            raise self._ended("the virtual board ended")

    def last_words(self) -> str:
        """Return the end of what the child said; empty where it was verbose."""
        if self._words.closed:
            return ""
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _COMPLAINT_BYTES))
        return self._words.read().decode(errors="replace").strip()

    def _read_announcement(self) -> Mapping[str, object]:
        assert self.process.stdout is not None
        line = _first_line(self.process.stdout.fileno(), _START_DEADLINE_S)
        with contextlib.suppress(ValueError):
            values = json.loads(line)
            if isinstance(values, dict):
                return values
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(LAST_MOMENT_S)
        raise self._ended("the virtual board did not start")

    def _ended(self, what: str) -> BoardError | ConfigError:
        code, words = self.process.returncode, self.last_words()
        if code == ConfigError.exit_code:
            return ConfigError(f"the virtual board refuses: {words}", key=self._where)
        if code == BoardBusyError.exit_code and "another process" in words:
            return BoardBusyError(words, board=self._name)
        how = "it is silent" if code is None else f"code {code}"
        return BoardError(f"{what} ({how}): {words}", board=self._name)


def end_child(child: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a child: its lifeline first, then SIGTERM, then SIGKILL; also on Ctrl-C meanwhile."""
    try:
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GOODBYE_S)
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_TERMINATE_S)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def _first_line(descriptor: int, deadline_s: float) -> bytes:
    """Return the first line, or what came of it before the end of the stream or the deadline."""
    end = time.monotonic() + deadline_s
    line = b""
    while b"\n" not in line:
        if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
            break
        data = os.read(descriptor, _READ_BYTES)
        if not data:
            break
        line += data
    return line.partition(b"\n")[0]
