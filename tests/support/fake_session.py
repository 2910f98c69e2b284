"""A board session without a board: the simulator's integers, with a fault where a test asks.

It has the face of ``BoardSession`` and nothing of a line, so that tests of the judge and of the
plugin take milliseconds. Everything about real lines is tested with virtual boards.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from espdl_hil.boards.inventory import Board
from espdl_hil.errors import BoardError, DisconnectedError
from espdl_hil.pipeline import load_model
from espdl_hil.runs import BoardIdentity, RunRequest, RunResult
from espdl_hil.simulator import Simulator
from tests.support.results import identity, run_result


@dataclass
class FakeSession:
    """Runs requests in the simulator.

    ``fault`` is one of: empty; ``"flip VALUE"`` (the last element of a value, and what is computed
    from it stays right); ``"stale"`` (another model ran); ``"dies"`` (the port goes away).
    """

    board: Board
    fault: str = ""
    flashed: bool = False
    known: set[str] = field(default_factory=set)
    runs: int = 0
    closed: bool = False

    @property
    def identity(self) -> BoardIdentity:
        return replace(identity(), virtual=self.board.virtual, target=self.board.target.name)

    def run(self, request: RunRequest, deadline_s: float | None = None) -> RunResult:
        assert deadline_s is not None, "everything has a deadline"
        assert not self.closed
        self.runs += 1
        if self.fault == "dies":
            raise DisconnectedError("the port went away", board=self.board.name)
        model = load_model(request.model)
        values = Simulator(model, self.board.target).run(request.inputs or None, keep="all")
        if self.fault.startswith("flip "):
            wrong = values[self.fault.removeprefix("flip ")].copy()
            wrong.reshape(-1)[-1] ^= np.array(1, wrong.dtype)
            values[self.fault.removeprefix("flip ")] = wrong
        sha = hashlib.sha256(request.model).hexdigest()
        uploaded = sha not in self.known
        self.known.add(sha)
        result = run_result(model, values, "0" * 64 if self.fault == "stale" else sha)
        return replace(
            result,
            captured={name: values[name] for name in request.capture},
            latency_us=tuple(10.0 + step for step in range(request.repeat)),
            board=self.identity,
            link=replace(result.link, model_uploaded=uploaded),
        )

    def close(self) -> None:
        self.closed = True


def refuse(board: Board) -> FakeSession:
    """An opener for a board that does not answer."""
    raise BoardError("nobody answered the hello", board=board.name)
