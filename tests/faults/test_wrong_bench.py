"""Seeded faults of line and board: repaired where they can be, else errors by their right name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from espdl_hil.boards.session import open_session
from espdl_hil.checking import finding
from espdl_hil.errors import (
    BoardBusyError,
    BoardError,
    BoardRestartedError,
    DeadlineError,
    TransportError,
)
from espdl_hil.runs import RunRequest
from tests.support.golden import PROJECT

DEADLINE_S = 60.0
SHORT_S = 4.0


@pytest.mark.parametrize("fault", ["flip:2e-5", "drop:2e-5", "flip-up:5e-5", "flip-down:5e-5"])
def test_damaged_bytes_on_the_line_are_repaired_and_counted(bench, fault):
    prepared = bench.digits()
    with bench.open(fault) as session:
        record = bench.checker.check(prepared, session.board, session)
    assert record.equal, finding(record)
    assert record.retries > 0, "the line was damaged, and nobody noticed"


def test_a_line_that_damages_everything_is_named_a_line_fault(bench):
    with pytest.raises(BoardError) as caught:
        bench.open("flip:0.2").close()
    assert not isinstance(caught.value, BoardBusyError)
    assert "bench" in str(caught.value)


def test_a_board_that_resets_mid_run_is_named_so(bench):
    prepared = bench.digits()
    with bench.open("reset-at-node:3") as session:
        with pytest.raises(BoardRestartedError) as caught:
            session.run(RunRequest(prepared.data), deadline_s=DEADLINE_S)
        assert caught.value.reason == "brownout, BROWNOUT_RST"
        assert "bench" in str(caught.value)


def test_a_board_that_resets_once_is_recovered_and_the_log_says_so(bench):
    prepared = bench.digits()
    with bench.open("once:reset-at-node:3") as session:
        run = session.run(RunRequest(prepared.data), deadline_s=DEADLINE_S)
    assert any("repeated" in line for line in run.log)
    assert run.model_sha256 == prepared.model_sha256


def test_a_board_that_panics_is_named_with_the_panic_and_not_with_the_reset_after_it(bench):
    prepared = bench.digits()
    with bench.open("panic-at-node:2") as session, pytest.raises(BoardRestartedError) as caught:
        session.run(RunRequest(prepared.data), deadline_s=DEADLINE_S)
    error = caught.value
    assert error.reason == "panic: LoadProhibited at 0x4200c1a6, address 0x00000004, core 0"
    assert error.backtrace[0] == "0x4200c1a3"
    assert ", number 2)" in error.node, "the next boot says in which node the last one ended"
    assert "RTC_SW_CPU_RST" not in str(error)
    assert "bench" in str(error)


def test_a_board_that_hangs_is_a_deadline_error(bench):
    prepared = bench.digits()
    with bench.open("hang-at-node:2") as session, pytest.raises(DeadlineError):
        session.run(RunRequest(prepared.data), deadline_s=SHORT_S)


def test_a_board_that_never_answers_is_named_and_given_up(bench):
    with pytest.raises(BoardError) as caught:
        bench.open("mute").close()
    assert "bench" in str(caught.value)
    assert any(word in str(caught.value) for word in ("answer", "silent", "hello"))


def test_a_pulled_cable_is_a_transport_error(bench):
    prepared = bench.digits()
    with bench.open("cut:6000") as session, pytest.raises(TransportError):
        bench.checker.check(prepared, session.board, session)


HOLDER = """\
import sys
from pathlib import Path
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import open_session
from espdl_hil.targets import target_named
board = Board("bench", target_named("esp32s3"), virtual=True, state=Path(sys.argv[1]))
with open_session(board):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_two_processes_that_want_one_board_do_not_share_it(bench):
    board = bench.board()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(board.state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    with holder:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(BoardBusyError, match=str(holder.pid)):
            open_session(board).close()
        holder.stdin.close()
        assert holder.wait(DEADLINE_S) == 0
    with open_session(board) as session:
        run = session.run(RunRequest(bench.sine().data), deadline_s=DEADLINE_S)
    assert run.outputs


def test_a_killed_holder_frees_the_board(bench):
    board = bench.board()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(board.state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    with holder:
        assert holder.stdout.readline() == "open\n"
        holder.kill()
        holder.wait(DEADLINE_S)
    with open_session(replace(board)) as session:
        assert session.identity.virtual
