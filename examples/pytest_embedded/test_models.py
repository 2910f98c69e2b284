"""A model between the lines of a device test: pytest-embedded's ``dut`` and our ``hil_dut``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("model.espdl")


@pytest.fixture(scope="session")
def hil_firmware():
    """What a board gets that has another runner or none; without it nothing is flashed."""
    bundle = os.environ.get("RUNNER_BUNDLE")
    return Path(bundle) if bundle else None


def test_model_computes_the_simulators_integers(dut, hil_dut):
    record = hil_dut.check(MODEL, vectors=10)  # the port is ours in here ...
    assert record.virtual or record.median_latency_us < 8000
    dut.serial.proc.reset_input_buffer()  # ... and theirs again out here


def test_model_survives_many_runs(hil_dut):
    from espdl_hil.runs import RunRequest

    request = RunRequest(MODEL.read_bytes(), repeat=100)
    with hil_dut.session() as session:
        run = session.run(request, deadline_s=60)
    assert len(run.latency_us) == 100
