"""A virtual board as a child process, and the firmware that it boots.

The law of this file: it starts programs and reads one line of each. The child's standard input is
its lifeline: it ends with this process, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from platformdirs import user_cache_path, user_state_path

from espdl_hil.boards.inventory import Board
from espdl_hil.errors import BoardBusyError, BoardError, ConfigError

STATE_ENVIRONMENT = "ESPDL_HIL_STATE"
_START_DEADLINE_S = 30.0
_BUILD_DEADLINE_S = 600.0
_GOODBYE_S = 3.0
_TERMINATE_S = 2.0
_LAST_MOMENT_S = 1.0
_READ_BYTES = 4096
_COMPLAINT_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a started board says about itself."""

    port: str
    pid: int
    mac: str


def state_folder(board: Board, environment: Mapping[str, str] | None = None) -> Path:
    """Return where a virtual board keeps its flash.

    That is the entry's ``state``, else ``$ESPDL_HIL_STATE/NAME``, else the user's state folder.
    """
    if board.state is not None:
        return board.state
    named = (os.environ if environment is None else environment).get(STATE_ENVIRONMENT)
    root = Path(named) if named else user_state_path("espdl-hil", appauthor=False) / "virtual"
    return root.absolute() / board.name


class VirtualProcess:
    """A running virtual board; a context manager that ends it.

    Raises:
        BoardBusyError: another process runs the board with this state folder.
        ConfigError: an option of the entry is wrong.
        BoardError: it did not start.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        command = [sys.executable, "-m", "espdl_hil.virtual", "--chip", board.target.name]
        command += ["--state", str(state_folder(board)), "--json", "--seed", str(board.seed)]
        command += ["--cpu", board.cpu]
        for fault in board.faults:
            command += ["--fault", fault]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with us
        self._child: subprocess.Popen[bytes] | None = None
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle
            )
            self.announcement = self._read_announcement()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the board and wait until it is gone."""
        child = self._child
        if child is not None:
            self._child = None
            _end(child)
        self._complaints.close()

    def check(self) -> None:
        """Raise why the board ended, where it did by itself; the constructor's errors."""
        if self._child is not None:
            # Its port goes first, its exit code comes a moment later.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_LAST_MOMENT_S)
        if self._child is None or self._child.returncode is not None:
            raise self._ended("the virtual board ended")

    def _last_words(self) -> str:
        size = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, size - _COMPLAINT_BYTES))
        return self._complaints.read().decode(errors="replace").strip()

    def __enter__(self) -> VirtualProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_announcement(self) -> Announcement:
        assert self._child is not None
        assert self._child.stdout is not None
        line = _first_line(self._child.stdout.fileno(), _START_DEADLINE_S)
        try:
            values = json.loads(line)
            return Announcement(str(values["port"]), int(values["pid"]), str(values["mac"]))
        except (ValueError, KeyError, TypeError) as cause:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_GOODBYE_S)
            raise self._ended("the virtual board did not start") from cause

    def _ended(self, what: str) -> BoardError | ConfigError:
        code = None if self._child is None else self._child.returncode
        words = self._last_words()
        if code == ConfigError.exit_code:
            return ConfigError(f"the virtual board refuses: {words}", key=self._board.where)
        if code == BoardBusyError.exit_code and "another process" in words:
            return BoardBusyError(words, board=self._board.name)
        return BoardError(f"{what} (code {code}): {words}", board=self._board.name)


def build_virtual_firmware(board: Board) -> Path:
    """Build the firmware bundle for a virtual board where it is out of date; return its folder.

    Raises:
        ConfigError: it does not build; the message has the compiler's last lines.
    """
    folder = user_cache_path("espdl-hil", appauthor=False) / "firmware"
    command = [sys.executable, "-m", "espdl_hil.cli", "virtual", "firmware", board.target.name]
    command += ["--cpu", board.cpu]
    return Path(_output_of([*command, "--output", str(folder)], board))


def _output_of(command: Sequence[str], board: Board) -> str:
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        output, complaints = child.communicate(timeout=_BUILD_DEADLINE_S)
    except subprocess.TimeoutExpired as cause:
        raise ConfigError(f"the firmware was not built in {_BUILD_DEADLINE_S:g} s") from cause
    finally:
        _end(child)
    if child.returncode != 0:
        raise ConfigError(
            f"the firmware of virtual board {board.name!r} cannot be built:\n{complaints.strip()}",
            hint="name a bundle with `firmware:` under `flash:` in boards.yaml",
        )
    return output.strip()


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


def _end(child: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
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
