"""The way to a board, and that it never leads to another one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import serial

from espdl_hil.boards.borrowed import BorrowedLine, Lender
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.line import line_of
from espdl_hil.errors import BoardError, BoardNotFoundError
from espdl_hil.targets import target_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec


def test_a_dead_boards_terminal_is_not_opened_when_the_next_board_has_its_name(tmp_path):
    state = tmp_path / "dead"
    line = line_of(Board("dead", target_named("esp32s3"), virtual=True, state=state))
    line.open()
    name = line.port
    try:
        pid = _process_with(str(state))
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "next")) as successor:
            if successor.port != name:
                pytest.skip("another program was given the name")
            for use in (line.transport, lambda: line.port):
                with pytest.raises(BoardError, match="the virtual board ended"):
                    use()
    finally:
        line.close()


@pytest.fixture
def renamed(tmp_path):
    """A board on a terminal of its own; ``next()`` ends it and lets another have the name."""

    class Renamed:
        def __init__(self) -> None:
            self._boards = [VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "first"))]
            self.port = self._boards[0].port

        def next(self) -> None:
            self._boards[0].close()
            self._boards.append(VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "second")))
            if self._boards[-1].port != self.port:
                pytest.skip("another program was given the name")

        def close(self) -> None:
            for board in self._boards:
                board.close()

    made = Renamed()
    yield made
    made.close()


def test_nor_is_the_one_that_an_inventory_names(renamed):
    line = line_of(Board("bench", target_named("esp32s3"), virtual=True, port=renamed.port))
    line.open()
    line.transport().close()
    renamed.next()
    with pytest.raises(BoardNotFoundError, match="the terminal is gone"):
        line.transport(return_s=0.2)


def test_nor_is_one_that_was_borrowed(renamed):
    with serial.Serial(renamed.port) as opened:
        line = BorrowedLine(Lender(opened))
        line.transport().close()
        opened.close()  # as when it hung up: the name is free from now on
        renamed.next()
        with pytest.raises(BoardNotFoundError, match="the terminal is gone"):
            line.transport(return_s=0.2)


def test_a_link_to_a_terminal_may_lead_to_the_next_one(tmp_path):
    link = str(tmp_path / "state" / "port")
    spec = VirtualBoardSpec("esp32s3", tmp_path / "state")
    with VirtualBoard(spec):
        line = line_of(Board("bench", target_named("esp32s3"), virtual=True, port=link))
        line.open()
        line.transport().close()
    with VirtualBoard(spec):
        line.transport().close()


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
