"""A short run of the fuzz target; ``fuzz_wire EXECUTIONS SEED`` runs as long as one likes."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.reference_engine import build

EXECUTIONS = 20_000


@pytest.mark.parametrize("seed", [1, 2])
def test_seeded_garbage_keeps_the_invariants_under_the_sanitizers(seed):
    program = build("fuzz_wire", "fuzz_wire")
    done = subprocess.run(
        [program, str(EXECUTIONS), str(seed)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"{EXECUTIONS} executions, seed {seed}\n"
