"""One board is flashed for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from espdl_hil.checking import Checker
from tests.faults.bench import FaultBench, make_checker, make_flashed_board


@pytest.fixture(scope="session")
def flashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_flashed_board(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    return make_checker(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def bench(flashed: Path, checker: Checker, tmp_path: Path) -> FaultBench:
    return FaultBench(flashed, tmp_path, checker)
