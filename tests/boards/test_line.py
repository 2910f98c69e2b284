"""The way to a board, and that it never leads to another one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from espdl_hil.boards.inventory import Board
from espdl_hil.boards.line import line_of
from espdl_hil.errors import BoardError
from espdl_hil.targets import target_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec


def test_a_dead_boards_terminal_is_not_opened_when_the_next_board_has_its_name(tmp_path):
    state = tmp_path / "dead"
    line = line_of(Board("dead", target_named("esp32s3"), virtual=True, state=state))
    line.open()
    try:
        pid = _process_with(str(state))
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "next")) as successor:
            if successor.port != line.port:
                pytest.skip("another program was given the name")
            with pytest.raises(BoardError, match="the virtual board ended"):
                line.transport()
    finally:
        line.close()


def _process_with(argument: str) -> int:
    wanted = argument.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in words:
            return int(folder.name)
    raise AssertionError(f"no process was started with {argument}")
