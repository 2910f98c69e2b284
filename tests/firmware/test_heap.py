"""No heap after load: from LOAD's answer to the end of a run and its reading nothing is allocated.

The law: two boards are told the same but for the runs; what they allocated by their end must be
equal. AddressSanitizer counts, for the whole process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from espdl_hil.wire import messages as m
from espdl_hil.wire.client import SLOW
from espdl_hil.wire.tasks import Ask, ChunkSize, WriteInput
from tests.firmware.board_process import board, board_program
from tests.firmware.runner_process import RunnerProcess, running
from tests.support.golden import GoldenCase, cases
from tests.support.reference_engine import build

REFERENCE = 0
CHUNK = ChunkSize(4096)


def one_of_each_operator() -> list[GoldenCase]:
    smallest: dict[str, GoldenCase] = {}
    for case in sorted(cases("s3_s8"), key=lambda case: case.path.stat().st_size):
        smallest.setdefault(case.op, case)
    return list(smallest.values())


@contextlib.contextmanager
def a_chip(folder: Path) -> Iterator[RunnerProcess]:
    with board(board_program("esp32s3"), folder / "flash.bin") as chip:
        yield chip


@contextlib.contextmanager
def a_virtual_board(folder: Path) -> Iterator[RunnerProcess]:
    with running(build("runner_asan", "hil_runner_asan"), folder / "flash.bin", "esp32s3") as one:
        yield one


def load(one: RunnerProcess, model: bytes) -> m.Loaded:
    one.talk.provide(model)
    return one.perform(Ask(m.Load(hashlib.sha256(model).digest(), REFERENCE)), SLOW)


def run_and_read(one: RunnerProcess, loaded: m.Loaded, run_id: int) -> None:
    for index, described in enumerate(loaded.inputs):
        one.perform(WriteInput(index, bytes(described.size_bytes), CHUNK), SLOW)
    output = one.perform(Ask(m.Outputs()), SLOW).outputs[0]
    one.perform(Ask(m.Capture(0, output.name)), SLOW)
    one.perform(Ask(m.Run(run_id, 1, 3, 1, m.RunFlags.DIGESTS)), SLOW)
    one.perform(Ask(m.Nodes(run_id, 0)), SLOW)
    one.perform(Ask(m.Latencies(run_id, 0)), SLOW)
    size = min(output.size_bytes, 4096)
    one.perform(Ask(m.ReadOutput(run_id, 0, 0, size)), SLOW)
    one.perform(Ask(m.ReadCapture(run_id, 0, 0, size)), SLOW)
    one.perform(Ask(m.Memory()), SLOW)
    one.perform(Ask(m.ResetState()), SLOW)


@pytest.mark.parametrize("start", [a_chip, a_virtual_board])
def test_runs_of_every_operator_allocate_nothing_after_load(start, tmp_path, monkeypatch):
    models = [case.path.read_bytes() for case in one_of_each_operator()]
    assert len(models) > 40

    def allocations(name: str, loads: bool, runs: bool) -> int:
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setitem(os.environ, "HIL_HEAP_COUNT", str(folder / "count"))
        with start(folder) as one:
            one.talk.hello()
            for run_id, model in enumerate(models if loads else (), 1):
                loaded = load(one, model)
                if runs:
                    run_and_read(one, loaded, run_id)
        return int((folder / "count").read_text())

    idle = allocations("idle", loads=False, runs=False)
    loaded = allocations("loaded", loads=True, runs=False)
    assert 0 < idle <= loaded
    if start is a_chip:
        assert loaded > idle, "an arena for each model"
    assert allocations("run", loads=True, runs=True) == loaded
