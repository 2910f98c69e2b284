"""The reference engine under AddressSanitizer and UndefinedBehaviourSanitizer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from espdl_hil.targets import target_named
from tests.support import golden
from tests.support.reference_engine import build

MUTATIONS = 4000
LARGEST_SOURCE = 40_000
DEADLINE_S = 300


def _one_case_per_operator(suite: str) -> list[golden.GoldenCase]:
    by_op: dict[str, golden.GoldenCase] = {}
    for case in golden.cases(suite):
        if case.path.stat().st_size <= LARGEST_SOURCE:
            by_op.setdefault(case.op, case)
    return list(by_op.values())


@pytest.mark.parametrize("suite", golden.SUITES)
def test_every_operator_runs_clean(suite: str, tmp_path: Path) -> None:
    tool = build("tool", "hil_ref_tool")
    for case in _one_case_per_operator(suite):
        paths = []
        for index, array in enumerate(case.inputs(case.vectors[-1]).values()):
            paths.append(tmp_path / f"{index}.bin")
            paths[-1].write_bytes(array.tobytes())
        one_input = len(case.entry["inputs"]) == 1
        command = [str(tool), target_named(case.target).kernels, str(case.path)]
        command += [str(path) for path in paths] if one_input else []
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        no_test_inputs = result.returncode == 1 and "status 6: inputs" in result.stderr
        assert result.returncode == 0 or no_test_inputs, f"{case.name}: {result.stderr[-2000:]}"


def test_mutated_files_are_refused_or_run_clean() -> None:
    fuzz = build("fuzz", "hil_fuzz_engine")
    sources = [str(case.path) for suite in golden.SUITES for case in _one_case_per_operator(suite)]
    result = subprocess.run(
        [str(fuzz), "1", str(MUTATIONS), *sources],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
