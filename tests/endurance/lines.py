"""Ways to boards that cost nothing to start: a runner as a child process, behind the real session.

The law of this file: everything above the line is the product's: session, client, checks.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from espdl_hil.boards.flash_plan import FlashPolicy
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.line import Line
from espdl_hil.boards.session import BoardSession, open_session
from espdl_hil.targets import target_named
from espdl_hil.transport import ProcessTransport, Transport
from tests.support.reference_engine import build

STORE_OFFSET, STORE_BYTES = 0x10000, 8 << 20
PSRAM_BYTES = 64 << 20
_NUMBERS = itertools.count()


class RunnerLine(Line):
    """The runner over a flash file; every opening of the port starts it anew.

    Args:
        target: chip whose integers to compute.
        flash: made, erased, where it does not exist.
        faults: for the runner.
    """

    def __init__(self, target: str, flash: Path, faults: tuple[str, ...] = ()) -> None:
        if not flash.exists():
            flash.write_bytes(b"\xff" * (STORE_OFFSET + STORE_BYTES))
        self._flash = flash
        self._number = next(_NUMBERS)
        self._program = build("runner", "hil_runner")
        self._words = ["--target", target, "--flash", str(flash), "--psram", str(PSRAM_BYTES)]
        self._words += ["--store-offset", str(STORE_OFFSET), "--store-size", str(STORE_BYTES)]
        self._words += [word for fault in faults for word in ("--fault", fault)]

    @property
    def identity(self) -> str:
        """The flash file, and which of its boards: one at a time."""
        return f"runner-{self._flash.resolve()}-{self._number}"

    @property
    def port(self) -> str:
        """The program."""
        return str(self._program)

    def open(self) -> None:
        """Nothing: opening the port starts the program."""

    def restart(self) -> bool:
        """The next opening of the port is a restart."""
        return True

    def close(self) -> None:
        """Nothing: the program ends with its transport."""

    def transport(self, return_s: float = 0.0) -> Transport:
        """Start the program."""
        del return_s
        return ProcessTransport([str(self._program), *self._words])


def runner_session(target: str, flash: Path, *faults: str) -> BoardSession:
    """An open session with a runner that has these faults."""
    line = RunnerLine(target, flash, faults)
    board = Board("endurance", target_named(target), virtual=True)
    return open_session(board, line=line, flash=FlashPolicy.NEVER)
