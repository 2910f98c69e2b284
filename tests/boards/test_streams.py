"""Models that remember, on a virtual board: independent input sets, and the steps of one stream."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from espdl_hil import espdl
from espdl_hil.boards.firmware import read_bundle
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import BoardSession, open_session
from espdl_hil.checking import Checker, PreparedModel
from espdl_hil.errors import StreamLostError
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.runs import RunRequest, RunResult
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from espdl_hil.virtual.bundle import write_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.payload import HostProgram
from tests.support.reference_engine import build

TARGET = target_named("esp32p4")
STEPS = 4


def model_named(name: str, *nodes: LoweredNode, frames: int) -> bytes:
    values = {
        value: ValueInfo(value, DType.INT8, (1, count, 3), (0,))
        for value, count in (("x", 2), ("joined", 4), ("y", frames))
    }
    used = {value for node in nodes for value in (*node.inputs, *node.outputs)}
    values = {name: info for name, info in values.items() if name in used}
    return espdl.write(LoweredModel(name, nodes, ("x",), ("y",), values, {}))


def streaming() -> bytes:
    """The last three frames and one more of what came: a step of two frames gives four."""
    cache = {"window_size": Attribute.of(3), "frame_axis": Attribute.of(1)}
    return model_named(
        "stream",
        LoweredNode("cache", "StreamingCache", ("x",), ("joined",), cache),
        LoweredNode("relu", "Relu", ("joined",), ("y",), {}),
        frames=4,
    )


def forgetful() -> bytes:
    return model_named("plain", LoweredNode("relu", "Relu", ("x",), ("y",), {}), frames=2)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board("sim", TARGET, virtual=True, state=tmp_path_factory.mktemp("board") / "state")


@pytest.fixture(scope="module")
def session(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardSession]:
    program = build("runner", "hil_runner").read_bytes()
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(chip_named(TARGET.name), HostProgram(program, platform.machine(), "1.2"), folder)
    with open_session(board, firmware=read_bundle(folder)) as session:
        yield session


@pytest.fixture
def prepared(tmp_path: Path):
    def prepare(*, sequence: bool) -> PreparedModel:
        path = tmp_path / "stream.espdl"
        path.write_bytes(streaming())
        return Checker().take(path, TARGET, vectors=STEPS, sequence=sequence)

    return prepare


class Watched:
    """A session that notes what it is asked, and runs another model before the given requests."""

    def __init__(self, session: BoardSession, interrupted: tuple[int, ...] = ()) -> None:
        self.requests: list[RunRequest] = []
        self.results: list[RunResult] = []
        self.flashed = False
        self.identity = session.identity
        self._session = session
        self._interrupted = interrupted

    def run(self, request: RunRequest, deadline_s: float | None = None) -> RunResult:
        self.requests.append(request)
        if len(self.requests) in self._interrupted:
            zeros = {"x": np.zeros((1, 2, 3), np.int8)}
            self._session.run(RunRequest(forgetful(), zeros), deadline_s=deadline_s)
        self.results.append(self._session.run(request, deadline_s=deadline_s))
        return self.results[-1]

    def outputs(self) -> list[np.ndarray]:
        return [result.outputs["y"] for result in self.results]


def firsts(watched: Watched) -> list[bool]:
    """Per run, whether the frames before the first one were zeros."""
    return [not output[0, :2].any() for output in watched.outputs()]


@pytest.mark.parametrize("sequence", [False, True])
def test_every_input_set_agrees_alone_and_as_a_step(session, board, prepared, sequence):
    watched = Watched(session)
    record = Checker().check(prepared(sequence=sequence), board, watched)
    assert (record.equal, record.vectors, record.sequence) == (True, STEPS, sequence)
    assert [request.keep_state for request in watched.requests] == [False] + [sequence] * 3
    assert firsts(watched) == ([True, False, False, False] if sequence else [True] * STEPS)


def test_warm_ups_and_repetitions_of_a_first_step_leave_one_step_behind(session, board, prepared):
    watched = Watched(session)
    many = replace(prepared(sequence=True), warmup=2, repeat=3)
    assert Checker().check(many, board, watched).equal
    assert (watched.requests[0].warmup, watched.requests[0].repeat) == (2, 3)


def test_a_stream_that_the_board_forgot_is_played_to_it_again(session, board, prepared):
    watched = Watched(session, interrupted=(3,))
    record = Checker().check(prepared(sequence=True), board, watched)
    assert record.equal, record.difference
    # Two steps, the third is refused, then three from a fresh state, and the last one.
    asked = [request.keep_state for request in watched.requests]
    assert asked == [False, True, True, False, True, True, True]
    assert len(watched.results) == len(asked) - 1


def test_another_run_in_between_is_no_silent_step(session):
    inputs = {"x": np.ones((1, 2, 3), np.int8)}
    session.run(RunRequest(streaming(), inputs))
    session.run(RunRequest(forgetful(), inputs))
    with pytest.raises(StreamLostError, match="does not hold the state"):
        session.run(RunRequest(streaming(), inputs, keep_state=True))
    with pytest.raises(StreamLostError):  # nor does a later try find one
        session.run(RunRequest(streaming(), inputs, keep_state=True))
    session.run(RunRequest(streaming(), inputs))
    again = session.run(RunRequest(streaming(), inputs, keep_state=True))
    assert again.outputs["y"].min() == 1


class Absentminded(Simulator):
    """Forgets the stream before one of its steps: the board's turn to be right."""

    def __init__(self, model: LoweredModel, step: int) -> None:
        super().__init__(model, TARGET)
        self._left = step

    def run(self, *arguments, **named):
        if self._left == 0:
            self.reset()
        self._left -= 1
        return super().run(*arguments, **named)


def test_a_step_that_differs_is_captured_with_its_past_and_the_stream_goes_on(
    session, board, prepared
):
    watched = Watched(session)
    stream = prepared(sequence=True)
    # Reset before step 2 only: steps 2 and 3 see fewer frames than the board's.
    wrong = replace(stream, simulator=Absentminded(stream.model, 2))
    record = Checker().check(wrong, board, watched)
    assert record.vectors_equal == STEPS - 1
    assert record.difference is not None
    assert (record.difference.vector, record.difference.node) == ("random-2", "cache")
    expected = stream.vectors[1].inputs["x"].astype(int)
    assert record.difference.mismatches == np.count_nonzero(expected)
    assert all(row < 2 for _, row, _ in record.difference.coordinates)
    assert [request.keep_state for request in watched.requests] == [
        *(False, True, True),
        *(False, True, True),  # the same steps again, the last one captured
        True,
    ]
    assert watched.requests[5].capture == ("joined",)
