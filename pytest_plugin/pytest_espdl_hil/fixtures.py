"""What Python tests use: ``hil_board``, ``hil_session``, ``hil_check``, and the marker ``hil``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from espdl_hil.results.records import CheckRecord
from pytest_espdl_hil.embedded import DUT_BOARD
from pytest_espdl_hil.items import BENCH, NO_BOARD, ModelOnBoard, checker_of
from pytest_espdl_hil.reporting import require_passed

if TYPE_CHECKING:
    from espdl_hil.boards.inventory import Board
    from espdl_hil.boards.session import BoardSession
    from espdl_hil.ir.types import Array

MARKER = (
    "hil(targets=(), tags=()): a test on a board; with arguments, only on boards of one of these "
    "targets that have all of these tags."
)

FIXTURE = "hil_board"

CheckFunction = Callable[..., CheckRecord]


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run tests that use ``hil_board`` once per selected board that fits their marker."""
    if FIXTURE not in metafunc.fixturenames:
        return
    boards = metafunc.config.stash[BENCH].boards
    fitting = [board for board in boards if _fits(board, metafunc.definition)]
    if fitting:
        parameters = [pytest.param(board, id=board.name) for board in fitting]
    else:
        why = "no selected board fits the test's hil marker" if boards else NO_BOARD
        parameters = [pytest.param(None, id="no board", marks=pytest.mark.skip(reason=why))]
    metafunc.parametrize(FIXTURE, parameters, indirect=True, scope="session")


@pytest.fixture(scope="session")
def hil_board(request: pytest.FixtureRequest) -> Board:
    """The board of this test: an entry of the inventory."""
    board: Board = request.param
    return board


@pytest.fixture
def hil_session(hil_board: Board, request: pytest.FixtureRequest) -> BoardSession:
    """The open session of ``hil_board``, shared by all tests of the pytest session."""
    return request.config.stash[BENCH].session(hil_board)


@pytest.fixture
def hil_check(
    hil_board: Board, hil_session: BoardSession, request: pytest.FixtureRequest
) -> CheckFunction:
    """A function that runs an ``.espdl`` file on the board and fails where an integer differs.

    ``hil_check(path, inputs=None, vectors=2, sequence=False)`` compares ``inputs`` (integers by
    name, stored layout) where given, the file's own test inputs, and ``vectors`` seeded random
    input sets; with ``sequence``, these are the steps of one stream, in that order. ``member``
    chooses a model of a pack, and ``key`` (16 bytes) decrypts; without ``preflight``, a file runs
    whatever the preflight says of it. It returns the record, whose latency and memory a test may
    judge further.
    """
    checker = checker_of(request.config)

    def check(
        path: str | Path,
        inputs: Mapping[str, Array] | None = None,
        *,
        vectors: int = 2,
        sequence: bool = False,
        member: str | None = None,
        key: bytes | None = None,
        preflight: bool = True,
    ) -> CheckRecord:
        prepared = checker.take(
            Path(path),
            hil_board.target,
            inputs=inputs,
            vectors=vectors,
            sequence=sequence,
            member=member,
            key=key,
            preflight=preflight,
        )
        record = checker.check(prepared, hil_board, hil_session)
        return require_passed(request.node, record)

    return check


def board_in_use(item: pytest.Item) -> Board | None:
    """The board that ``item`` runs on, whichever way it was written."""
    if DUT_BOARD in item.stash:
        return item.stash[DUT_BOARD]
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        board: Board | None = callspec.params.get(FIXTURE)
        return board
    return item.board if isinstance(item, ModelOnBoard) else None


def _fits(board: Board, definition: pytest.Function) -> bool:
    for marker in definition.iter_markers("hil"):
        targets, tags = marker.kwargs.get("targets", ()), marker.kwargs.get("tags", ())
        if targets and board.target.name not in targets:
            return False
        if not set(tags) <= set(board.tags):
            return False
    return True
