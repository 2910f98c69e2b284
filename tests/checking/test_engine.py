"""A result is judged by the rules of the engine that computed it, whichever the board prefers."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from espdl_hil import espdl
from espdl_hil.boards.inventory import Board
from espdl_hil.checking.check import Checker
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, ValueInfo
from espdl_hil.ir.types import DType
from espdl_hil.runs import BoardIdentity, Engine, RunRequest, RunResult
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from espdl_hil.wire import Conversation
from espdl_hil.wire import messages as m
from espdl_hil.wire.client import Pace
from espdl_hil.wire.tasks import Task
from tests.support.results import identity, run_result

TARGET = target_named("esp32s3")
BOTH = (Engine.ESPDL, Engine.REFERENCE)
ENGINE_IDS = {Engine.REFERENCE: 0, Engine.ESPDL: 1}


def model() -> LoweredModel:
    """x -> LayerNormalization -> y: one step is open on ESP-DL, and none on our own engine."""
    values = {name: ValueInfo(name, DType.INT8, (1, 6), (-5,)) for name in "xy"}
    node = LoweredNode("norm", "LayerNormalization", ("x",), ("y",), {})
    return LoweredModel("open", (node,), ("x",), ("y",), values, {})


@dataclass
class OneStepOff:
    """A session with a board of two engines, both of which compute ``y`` one step too high."""

    board: Board
    flashed: bool = False

    @property
    def identity(self) -> BoardIdentity:
        return replace(identity(), engines=BOTH, engine_versions=("3.3.7", "1.0"))

    def run(self, request: RunRequest, deadline_s: float) -> RunResult:
        values = Simulator(model(), TARGET).run(request.inputs, keep="all")
        wrong = {**values, "y": np.where(values["y"] < 127, values["y"] + 1, 126).astype(np.int8)}
        result = run_result(model(), wrong, hashlib.sha256(request.model).hexdigest())
        return replace(
            result,
            captured={name: wrong[name] for name in request.capture},
            board=self.identity,
            engine=request.engine or self.board.engine or self.identity.engines[0],
        )


@pytest.mark.parametrize(
    ("asked", "equal", "named"),
    [
        (None, True, "espdl 3.3.7"),
        (Engine.ESPDL, True, "espdl 3.3.7"),
        (Engine.REFERENCE, False, "reference 1.0"),
    ],
)
def test_what_may_differ_is_decided_by_the_engine_that_computed(tmp_path, asked, equal, named):
    path = tmp_path / "open.espdl"
    path.write_bytes(espdl.write(model()))
    board = Board("both", TARGET, virtual=True, engine=asked)
    checker = Checker()
    record = checker.check(checker.take(path, TARGET), board, OneStepOff(board))
    assert (record.vectors_equal == record.vectors) is equal
    assert record.engine == named
    assert bool(record.open_nodes) is equal


class TwoEngines:
    """The board's end of a conversation, which prefers ESP-DL; it notes what was to be loaded."""

    def __init__(self) -> None:
        self.loaded: list[int] = []

    def __call__(self, task: Task, pace: Pace):
        while not task.done:
            request = task.next_request()
            task.answered(request, self.answer(request))
        return task.result()

    def answer(self, request):
        match request:
            case m.Hello():
                entries = tuple(m.EngineEntry(ENGINE_IDS[one], one.value, "1") for one in BOTH)
                fixed = m.PROTOCOL_VERSION, 0, 1, 64, "esp32s3", "", bytes(6), bytes(32), "", ""
                return m.Identity(*fixed, entries, (), (), ())
            case m.Load():
                self.loaded.append(request.engine)
                return m.Loaded(1, ())
            case m.Run():
                return m.RunDone(request.run_id, hashlib.sha256(b"model").digest(), 1, 0, 0)
            case m.Latencies():
                return m.LatencyList((10,))
        return {
            m.ModelBegin: m.ModelState(m.ModelAnswer.HAVE_IT, 0),
            m.ModelCommit: m.ModelCommitted(),
            m.Outputs: m.OutputList(()),
            m.TestInputs: m.TestInputsTaken(),
            m.Memory: m.MemoryReport(()),
        }[type(request)]


def test_a_result_names_the_engine_that_was_loaded_for_it(tmp_path: Path):
    board = TwoEngines()
    talk = Conversation(board, itertools.count(1).__next__)
    talk.hello()
    asked = (None, Engine.REFERENCE, Engine.REFERENCE, Engine.ESPDL)
    found = [talk.run(RunRequest(b"model", engine=one, digests=False)).engine for one in asked]
    assert found == [Engine.ESPDL, Engine.REFERENCE, Engine.REFERENCE, Engine.ESPDL]
    assert board.loaded == [1, 0, 1]
