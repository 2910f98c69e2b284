"""Sessions with a board in memory: what it forgets and what rots is repaired, and said."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import numpy as np
import pytest

from espdl_hil.boards.connection import Caller
from espdl_hil.boards.flash_plan import FlashPlan, FlashPolicy
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.patience import silence_of_file_s
from espdl_hil.boards.session import BoardSession
from espdl_hil.errors import DeadlineError, StreamLostError
from espdl_hil.runs import RunRequest, RunResult
from espdl_hil.targets import target_named
from espdl_hil.transport.loopback import ManualClock
from espdl_hil.wire import Conversation, Counters
from espdl_hil.wire.conversation import Findings
from tests.endurance.cycles import Job, make_jobs
from tests.endurance.memory_board import MemoryBoard, MemoryLine, Trouble

TARGET = "esp32s3"


@pytest.fixture
def line() -> MemoryLine:
    clock = ManualClock(1000.0)
    return MemoryLine(MemoryBoard(TARGET, clock), clock, random.Random(1))


@pytest.fixture
def session(line: MemoryLine) -> Iterator[BoardSession]:
    entry = Board("memory", target_named(TARGET), virtual=True)
    caller = Caller(entry, random.Random(1), Counters(), 5.0, now=line.clock)
    with BoardSession(caller, line) as session:
        session.open(FlashPlan(policy=FlashPolicy.NEVER), 0.0)
        yield session


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    return make_jobs(target_named(TARGET), seed=3)


def _run(session: BoardSession, job: Job, step: int = 0) -> RunResult:
    result = session.run(RunRequest(job.data, job.steps[step], keep_state=step > 0), 120.0)
    for name, array in result.outputs.items():
        np.testing.assert_array_equal(array, job.expected[step][name])
    return result


def test_a_board_that_restarted_while_nobody_listened_runs_again(session, line, jobs):
    _run(session, jobs[0])
    line.board.boot("brownout")
    again = _run(session, jobs[0])
    assert not again.link.model_uploaded
    assert session.recoveries == 0


def test_a_stream_that_such_a_board_forgot_is_lost_and_can_be_started_anew(session, line, jobs):
    stream = next(job for job in jobs if len(job.steps) > 1)
    _run(session, stream)
    line.board.boot("brownout")
    with pytest.raises(StreamLostError, match="the board forgot the state"):
        _run(session, stream, 1)
    _run(session, stream)
    _run(session, stream, 1)


def test_a_model_that_rotted_in_the_store_is_sent_anew(session, line, jobs, caplog):
    first, other = jobs[:2]
    _run(session, first)
    _run(session, other)
    assert line.board.spoil(first.data[:64])
    with caplog.at_level(logging.WARNING):
        again = _run(session, first)
    assert again.link.model_uploaded
    assert "is damaged; it is sent anew" in caplog.text


def test_a_board_that_falls_silent_in_a_session_is_not_one_without_firmware(session, line, jobs):
    _run(session, jobs[0])
    line.suffer(Trouble(drop=0.9))
    with pytest.raises(DeadlineError):
        _run(session, jobs[0])
    with pytest.raises(DeadlineError, match="answered before, and does not any more"):
        _run(session, jobs[0])
    line.suffer(Trouble())
    _run(session, jobs[0])


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(dies_after_nodes=1),
        Trouble(dies_after_nodes=1, reboots=False),
        Trouble(power_bytes=300),
        Trouble(cut_bytes=900),
        Trouble(silence_bytes=900),
        Trouble(restart_bytes=900),
    ],
    ids=str,
)
def test_one_fault_of_the_board_or_the_line_costs_one_more_try(session, line, jobs, trouble):
    line.suffer(trouble)
    assert any("the run is repeated" in text for text in _run(session, jobs[0]).log)
    assert session.recoveries == 1


def test_a_session_waits_for_the_largest_node_unless_the_request_says_how_long(
    session, jobs, monkeypatch
):
    asked = []
    run = Conversation.run

    def noting(talk: Conversation, request: RunRequest) -> Findings:
        asked.append(request.silence_s)
        return run(talk, request)

    monkeypatch.setattr(Conversation, "run", noting)
    job = jobs[0]
    for silence_s in (None, 7.0):
        session.run(RunRequest(job.data, job.steps[0], silence_s=silence_s), 120.0)
    assert asked == [silence_of_file_s(job.data), 7.0]
    assert asked[0] > 0
