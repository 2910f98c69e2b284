"""Virtual boards with faults, and models prepared for them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import BoardSession, open_session
from espdl_hil.checking import Checker, ModelCache, PreparedModel
from espdl_hil.suite import read_suite
from espdl_hil.targets import target_named
from tests.support.golden import PROJECT

TARGET = "esp32s3"
MARK = "ESPDL_HIL_TEST_MARK"
POLL_S = 0.02


@dataclass(frozen=True)
class FaultBench:
    """A board that was flashed once, copied for every test, and what runs on it."""

    flashed: Path
    folder: Path
    checker: Checker

    def board(self, *faults: str, name: str = "bench", seed: int = 1) -> Board:
        """A virtual board with faults, whose flash is already written."""
        state = self.folder / name
        if not state.exists():
            shutil.copytree(self.flashed, state)
        return Board(
            name, target_named(TARGET), virtual=True, state=state, faults=faults, seed=seed
        )

    def open(self, *faults: str, seed: int = 1) -> BoardSession:
        """An open session of such a board."""
        return open_session(self.board(*faults, seed=seed))

    def digits(self, target: str = TARGET) -> PreparedModel:
        """The digits CNN of the examples for a target, with few samples."""
        return self._prepared("digits_cnn", target)

    def sine(self, target: str = TARGET) -> PreparedModel:
        """The sine MLP of the examples for a target."""
        return self._prepared("sin_mlp", target)

    def _prepared(self, name: str, target: str) -> PreparedModel:
        suite = read_suite(PROJECT / "examples" / "demo.hil.yaml")
        (entry,) = (model for model in suite.models if model.name == name)
        return self.checker.prepare(entry, target_named(target))


def make_flashed_board(folder: Path) -> Path:
    """The state of a board that esptool has flashed."""
    state = folder / "flashed"
    board = Board("first", target_named(TARGET), virtual=True, state=state)
    with open_session(board) as session:
        assert session.flashed
    return state


def make_checker(folder: Path) -> Checker:
    """A checker whose quantized models are the tests' own."""
    return Checker(ModelCache(folder / "models"))


def until(condition: Callable[[], object], what: str, deadline_s: float = 60.0) -> None:
    """Wait until ``condition`` holds; fail with ``what`` at the deadline."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        pause.wait(POLL_S)


def processes_marked(mark: str) -> dict[int, str]:
    """Live processes that inherited ``MARK=mark``: process id to command line."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                found[int(entry.name)] = b" ".join(words).decode(errors="replace")
        except OSError:  # gone meanwhile, or not ours
            continue
    return found
