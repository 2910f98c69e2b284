"""All inner values of a run, from a board that has room for few of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from espdl_hil.boards.capturing import run_capturing_all
from espdl_hil.boards.inventory import Board
from espdl_hil.errors import EngineError
from espdl_hil.runs import RunRequest, RunResult
from espdl_hil.targets import target_named
from tests.support import golden
from tests.support.fake_session import FakeSession


class Cramped(FakeSession):
    """A board that keeps values up to so many bytes together."""

    room = 0

    def run(self, request: RunRequest, deadline_s: float | None = None) -> RunResult:
        result = super().run(request, deadline_s)
        if sum(array.nbytes for array in result.captured.values()) > self.room:
            raise EngineError("no room", status="HIL_ERR_MEMORY", board=self.board.name)
        return result


@pytest.fixture(scope="module")
def case() -> golden.GoldenCase:
    return max(golden.cases("models_p4_s8"), key=lambda case: case.path.stat().st_size)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_fits_beside_the_model_comes_back_and_the_rest_is_left_out(case, share):
    session = Cramped(Board("sim", target_named("esp32p4"), virtual=True))
    session.room = 1 << 30
    request = RunRequest(case.path.read_bytes(), case.inputs(case.vectors[0]))
    everything = run_capturing_all(session, request, deadline_s=60.0).captured
    sizes = {name: array.nbytes for name, array in everything.items()}
    session.room = int(share * max(sizes.values()))
    got = run_capturing_all(session, replace(request), deadline_s=60.0).captured
    assert set(got) == {name for name, size in sizes.items() if size <= session.room}
    assert all((got[name] == everything[name]).all() for name in got)
