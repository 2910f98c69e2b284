"""One user per board: across processes, and free again however its holder ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from espdl_hil.boards.locks import BoardLock
from espdl_hil.errors import BoardBusyError

HOLD = """
import sys
from pathlib import Path
from espdl_hil.boards.locks import BoardLock
lock = BoardLock(sys.argv[2], Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


@contextmanager
def holder(folder: Path, identity: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), identity],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def test_another_process_is_refused_and_told_who_has_the_board(tmp_path: Path):
    with holder(tmp_path, "usb-0001") as child:
        with pytest.raises(BoardBusyError, match=f"process {child.pid} ") as caught:
            BoardLock("usb-0001", tmp_path, board="s3").acquire()
        assert caught.value.board == "s3"
        seen = BoardLock("usb-0001", tmp_path).seen_from_outside()
        assert seen is not None
        assert seen.pid == child.pid


def test_the_board_is_free_after_its_holder_was_killed(tmp_path: Path):
    with holder(tmp_path, "usb-0001") as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        with BoardLock("usb-0001", tmp_path) as lock:
            current = lock.holder()
            assert current is not None
            assert current.pid == os.getpid()


def test_a_stale_note_keeps_nobody_out(tmp_path: Path):
    lock = BoardLock("usb-0001", tmp_path)
    lock.acquire()
    note = lock._note.read_text()
    lock.release()
    lock._note.write_text(note.replace(str(os.getpid()), "1"))
    assert BoardLock("usb-0001", tmp_path).seen_from_outside() is None
    with BoardLock("usb-0001", tmp_path):
        pass


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"pid": "x"}', "\x00"])
def test_a_damaged_note_only_makes_the_message_shorter(tmp_path: Path, note: str):
    with holder(tmp_path, "usb-0001"):
        BoardLock("usb-0001", tmp_path)._note.write_text(note)
        with pytest.raises(BoardBusyError, match="another process"):
            BoardLock("usb-0001", tmp_path).acquire()


def test_other_boards_are_not_concerned(tmp_path: Path):
    with holder(tmp_path, "usb-0001"), BoardLock("usb-0002", tmp_path):
        pass


def test_names_that_look_alike_have_their_own_locks(tmp_path: Path):
    with BoardLock("/dev/tty_a", tmp_path), BoardLock("/dev/tty/a", tmp_path):
        pass


def test_a_second_lock_in_the_same_process_is_refused_too(tmp_path: Path):
    with BoardLock("usb-0001", tmp_path), pytest.raises(BoardBusyError):
        BoardLock("usb-0001", tmp_path).acquire()


def test_releasing_what_is_not_ours_changes_nothing(tmp_path: Path):
    with holder(tmp_path, "usb-0001"):
        BoardLock("usb-0001", tmp_path).release()
        with pytest.raises(BoardBusyError):
            BoardLock("usb-0001", tmp_path).acquire()
