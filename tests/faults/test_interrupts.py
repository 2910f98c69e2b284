"""Ctrl-C in the middle of anything: no orphan, the board free again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import open_session
from espdl_hil.targets import target_named
from tests.faults.bench import MARK, processes_marked, until
from tests.support.golden import PROJECT

DEADLINE_S = 120.0

BOARDS = """\
boards:
  bench: {{target: esp32s3, transport: virtual, state: {state}}}
"""

EXAMPLES = PROJECT / "examples"
SUITE = "version: 1\nseed: 20\nmodels:\n"
MODEL = """\
  {name}:
    model: {examples}/digits_cnn/digits_cnn.onnx
    calibration: {{data: {examples}/digits_cnn/digits_cnn.calib.npz}}
    vectors: 8
"""


def start(folder: Path, command: list[str], mark: str) -> subprocess.Popen[str]:
    """Start a command as a shell would: a group of its own, which Ctrl-C reaches as a whole."""
    log = (folder / "out.txt").open("w")
    with log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ
            | {
                MARK: mark,
                "ESPDL_HIL_CACHE": str(folder / "cache"),
                "ESPDL_HIL_BOARDS": str(folder / "boards.yaml"),
                "PYTHONUNBUFFERED": "1",
            },
            cwd=PROJECT,
            start_new_session=True,
            text=True,
        )


def pytest_run(folder: Path) -> list[str]:
    suite = folder / "interrupted.hil.yaml"
    # So many that the last is far off when the first was judged.
    names = [f"model{number}" for number in range(20)]
    suite.write_text(SUITE + "".join(MODEL.format(name=name, examples=EXAMPLES) for name in names))
    options = ["-p", "no:cacheprovider", "-p", "no:pytest_embedded", "-v", "--board", "bench"]
    # A file that an interrupt leaves to the garbage collector is closed by it.
    options += ["-W", "ignore::ResourceWarning"]
    return [sys.executable, "-m", "pytest", str(suite), *options]


def flash(folder: Path) -> list[str]:
    return [sys.executable, "-m", "espdl_hil", "flash", "bench", "--force"]


def any_process(word: str) -> Callable[[str, Path], bool]:
    def condition(mark: str, folder: Path) -> bool:
        return any(word in command for command in processes_marked(mark).values())

    return condition


def output_has(word: str) -> Callable[[str, Path], bool]:
    def condition(mark: str, folder: Path) -> bool:
        return word in (folder / "out.txt").read_text()

    return condition


MOMENTS = {
    "the virtual board starts": (pytest_run, any_process("espdl_hil.virtual")),
    "esptool writes": (pytest_run, any_process("esptool")),
    "a model was judged": (pytest_run, output_has("PASSED")),
    "flash writes": (flash, any_process("esptool")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_leaves_nothing_behind(moment, tmp_path):
    code, said = interrupted(tmp_path, moment, lambda pid: os.killpg(pid, signal.SIGINT))
    assert code in (2, 130), said  # pytest's code for an interrupt, and the shell's
    assert "Traceback" not in said or "KeyboardInterrupt" in said, said


@pytest.mark.parametrize("moment", ["esptool writes", "a model was judged"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_nothing_behind(moment, number, tmp_path):
    """Only the parent gets the signal; its children must notice by themselves."""
    code, said = interrupted(tmp_path, moment, lambda pid: os.kill(pid, number))
    # SIGTERM ends a program as Ctrl-C does, so that what was measured is still told.
    wanted = (2, 130) if number == signal.SIGTERM else (-number, 128 + number)
    assert code in wanted, said


def interrupted(folder: Path, moment: str, hit: Callable[[int], None]) -> tuple[int, str]:
    """Hit a command at a moment; nothing must be left, and the board must be free again."""
    command, condition = MOMENTS[moment]
    state = folder / "state"
    (folder / "boards.yaml").write_text(BOARDS.format(state=state))
    mark = uuid.uuid4().hex
    running = start(folder, command(folder), mark)
    try:
        until(lambda: condition(mark, folder) or running.poll() is not None, moment, DEADLINE_S)
        assert running.poll() is None, (folder / "out.txt").read_text()
        hit(running.pid)
        code = running.wait(DEADLINE_S)
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
    until(lambda: not processes_marked(mark), "the end of the last process", 20.0)
    board = Board("bench", target_named("esp32s3"), virtual=True, state=state)
    with open_session(board) as session:
        assert session.identity.target == "esp32s3"
    return code, (folder / "out.txt").read_text()
