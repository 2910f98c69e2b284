"""A virtual board as a child process, and the firmware that it boots.

The law of this file: it knows how the programs are called; ``children`` starts and ends them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

from espdl_hil.boards.inventory import Board
from espdl_hil.children import LAST_MOMENT_S, BoardChild, end_child
from espdl_hil.closing import Closing
from espdl_hil.errors import ConfigError

STATE_ENVIRONMENT = "ESPDL_HIL_STATE"
_BUILD_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a started board says about itself."""

    port: str
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


class VirtualProcess(Closing):
    """A running virtual board; a context manager that ends it.

    Raises:
        BoardBusyError: another process runs the board with this state folder.
        ConfigError: an option of the entry is wrong.
        BoardError: it did not start.
    """

    def __init__(self, board: Board) -> None:
        command = [sys.executable, "-m", "espdl_hil.virtual", "--chip", board.target.name]
        command += ["--state", str(state_folder(board)), "--json", "--seed", str(board.seed)]
        command += ["--cpu", board.cpu]
        for fault in board.faults:
            command += ["--fault", fault]
        self._child = BoardChild(command, name=board.name, where=board.where)
        values = self._child.announcement
        self.announcement = Announcement(str(values.get("port")), str(values.get("mac")))

    def close(self) -> None:
        """End the board and wait until it is gone."""
        self._child.close()

    def check(self, patience_s: float = LAST_MOMENT_S) -> None:
        """Raise why the board ended, where it did by itself; the constructor's errors.

        Args:
            patience_s: how long it may still take to end.
        """
        self._child.check(patience_s)


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
        errors="surrogateescape",  # it says a path, whose name may be anything
    )
    try:
        output, complaints = child.communicate(timeout=_BUILD_DEADLINE_S)
    except subprocess.TimeoutExpired as cause:
        raise ConfigError(f"the firmware was not built in {_BUILD_DEADLINE_S:g} s") from cause
    finally:
        end_child(child)
    if child.returncode != 0:
        raise ConfigError(
            f"the firmware of virtual board {board.name!r} cannot be built:\n{complaints.strip()}",
            hint="name a bundle with `firmware:` under `flash:` in boards.yaml",
        )
    return output.strip()
