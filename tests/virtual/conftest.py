"""The payload program is compiled once."""

from __future__ import annotations

import pytest

from espdl_hil.virtual.payload import HostProgram
from tests.virtual.bench import compile_echo


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compile_echo(tmp_path_factory.mktemp("echo"))
