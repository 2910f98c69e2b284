"""The chip's main program as a child process, over stand-ins that fail where they are told to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.firmware.runner_process import RunnerProcess
from tests.support.reference_engine import build

TARGETS = {"c_s8": "esp32", "s3_s8": "esp32s3", "p4_s8": "esp32p4"}
EXIT_RESTART = 64
EXIT_PANIC = 66
RESET_PANIC = "4"
"""``ESP_RST_PANIC``."""


def board_program(target: str) -> Path:
    """The program of a configuration, built with the sanitizers; skips where C++ is missing."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("no C++ compiler (g++) for the adapter of ESP-DL")
    return build("idf-check", f"hil_board_{target}")


class BoardProcess(RunnerProcess):
    """A chip's main on pipes; ``HIL_FAKE_*`` variables say what its world is like."""

    def __init__(self, program: Path, settings: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **settings},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.connect(self.process.stdin.fileno(), self.process.stdout.fileno())


@contextmanager
def board(
    program: Path, flash: Path, *, fail: str = "", store_bytes: int = 1 << 20, **settings: str
) -> Iterator[BoardProcess]:
    """A chip over ``flash``, made erased if it does not exist; its sanitizers must be content.

    Args:
        program: from `board_program`.
        flash: the model partition.
        fail: calls that fail, ``call`` or ``call@n``, with commas between.
        store_bytes: size of a new partition.
        settings: more variables, without their prefix.
    """
    if not flash.exists():
        flash.write_bytes(b"\xff" * store_bytes)
    variables = {f"HIL_FAKE_{name.upper()}": value for name, value in settings.items()}
    process = BoardProcess(
        program, {"HIL_FAKE_FLASH": str(flash), "HIL_FAKE_FAIL": fail, **variables}
    )
    try:
        yield process
    finally:
        child = process.process
        if child.poll() is None:
            process.end()
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.close()
        child.stdout.close()
        complaint = child.stderr.read().decode(errors="replace")
        child.stderr.close()
    assert "ERROR: " not in complaint, complaint[-4000:]
    assert child.returncode in (0, EXIT_RESTART, EXIT_PANIC), (child.returncode, complaint[-4000:])
