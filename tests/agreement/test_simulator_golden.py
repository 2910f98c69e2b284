"""The simulator against ESP-DL's integers: every case, every vector, every zoo node."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from espdl_hil.errors import EspdlHilError
from espdl_hil.espdl import read_file
from espdl_hil.simulator import Simulator
from espdl_hil.targets import target_named
from tests.support import golden

EXCUSED: Mapping[tuple[str, str], str] = {}
"""(suite, case) that may differ, with the cause. Reviewed by hand: an entry whose case turns out
equal fails the test, so that the list cannot rot."""


def _groups() -> list[tuple[str, str]]:
    try:
        return sorted({(suite, case.op) for suite in golden.SUITES for case in golden.cases(suite)})
    except pytest.skip.Exception:
        return []


def _zoo() -> list[golden.GoldenCase]:
    try:
        return list(golden.cases("zoo"))
    except pytest.skip.Exception:
        return []


def _findings(case: golden.GoldenCase) -> list[str]:
    """Every vector of a case that is not as ESP-DL has it."""
    try:
        simulator = Simulator(read_file(case.path), target_named(case.target))
        found = []
        for vector in case.vectors:
            simulator.reset()
            outputs = simulator.run(case.inputs(vector))
            for name, expected in case.outputs(vector).items():
                text = golden.difference(outputs[name], expected)
                if text:
                    found.append(f"{case.name} {vector} {name}: {text}")
    except EspdlHilError as error:
        found = [f"{case.name}: {error}"]
    excuse = EXCUSED.get((case.suite, case.name))
    if excuse is None:
        return found
    return [] if found else [f"{case.name}: excused ({excuse}), but it is equal"]


@pytest.mark.parametrize(("suite", "op"), _groups())
def test_every_vector_gives_the_integers_of_esp_dl(suite: str, op: str) -> None:
    cases = [case for case in golden.cases(suite) if case.op == op]
    findings = [finding for case in cases for finding in _findings(case)]
    assert not findings, f"{len(findings)} findings in {len(cases)} cases:\n" + "\n".join(findings)


@pytest.mark.parametrize(
    "case", _zoo(), ids=lambda case: str(case.path).rpartition("/zoo/")[2].replace("/", "-")
)
def test_every_node_of_a_zoo_model_has_the_digest_of_esp_dl(case: golden.GoldenCase) -> None:
    simulator = Simulator(read_file(case.path), target_named(case.target))
    for vector in case.vectors:
        simulator.reset()
        values = simulator.run(case.inputs(vector), keep="all")
        digests = case.digests(vector)
        assert [step.value for step in simulator.order] == [entry["tensor"] for entry in digests]
        wrong = [
            f"{vector} {entry['node']} ({entry['op']}) {entry['tensor']}"
            for entry in digests
            if values[entry["tensor"]].dtype.kind != "f"
            and hashlib.sha256(values[entry["tensor"]].tobytes()).hexdigest() != entry["sha256"]
        ]
        assert not wrong, "nodes that differ, in execution order:\n" + "\n".join(wrong[:5])
        for name, expected in case.outputs(vector).items():
            assert golden.difference(values[name], expected) == ""


def test_a_second_run_gives_the_same_integers_as_the_first() -> None:
    case = next(case for case in _zoo() if "mobilenetv2" in case.name)
    simulator = Simulator(read_file(case.path), target_named(case.target))
    vector = case.vectors[0]
    runs = [simulator.run(case.inputs(vector)) for _ in range(2)]
    for name, array in runs[0].items():
        assert (array == runs[1][name]).all()


def test_golden_data_is_where_the_suite_looks() -> None:
    assert golden.shared().is_dir()
    assert len(_groups()) > 300
