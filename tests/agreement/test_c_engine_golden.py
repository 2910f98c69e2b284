"""The C reference engine against ESP-DL's integers: every case, every vector, every zoo node.

Integers must be equal; floats may differ by 2e-5, relative above 1; where ESP-DL's own output is
not finite, only the places of the non-finite values count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pytest

from espdl_hil.targets import target_named
from tests.support import golden
from tests.support.reference_engine import ReferenceEngine, ReferenceEngineError

FLOAT_TOLERANCE = 2e-5

REFUSED: Mapping[tuple[str, str], str] = {}
"""(suite, case) that the engine refuses, with the words of the refusal: kernel defects whose
integers cannot be relied on. Reviewed by hand; a case that runs after all fails the test."""


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


def _difference(got: np.ndarray, expected: np.ndarray) -> str:
    """What differs, or an empty string."""
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{got.dtype}{got.shape} instead of {expected.dtype}{expected.shape}"
    if expected.dtype.kind != "f":
        wrong = got != expected
    else:
        finite = np.isfinite(expected)
        limit = FLOAT_TOLERANCE * np.maximum(1.0, np.where(finite, np.abs(expected), 0.0))
        wrong = np.isfinite(got) != finite
        wrong[finite] |= np.abs(got[finite] - expected[finite]) > limit[finite]
    if not wrong.any():
        return ""
    first = tuple(int(i) for i in np.argwhere(np.atleast_1d(wrong))[0])
    return (
        f"{int(wrong.sum())} of {wrong.size} differ, first at {first}: "
        f"{np.atleast_1d(got)[first]} instead of {np.atleast_1d(expected)[first]}"
    )


def _check_case(case: golden.GoldenCase) -> list[str]:
    excuse = REFUSED.get((case.suite, case.name))
    try:
        engine = ReferenceEngine(case.path.read_bytes(), target_named(case.target))
    except ReferenceEngineError as error:
        refused_as_reviewed = excuse is not None and excuse in error.text
        return [] if refused_as_reviewed else [f"{case.name}: {error}"]
    if excuse is not None:
        return [f"{case.name}: listed as refused ({excuse}), but it runs"]
    findings = []
    for vector in case.vectors:
        engine.reset()
        outputs = engine.run(case.inputs(vector))
        for name, expected in case.outputs(vector).items():
            difference = _difference(outputs[name], expected)
            if difference:
                findings.append(f"{case.name} {vector} {name}: {difference}")
    return findings


@pytest.mark.parametrize(("suite", "op"), _groups(), ids="-".join)
def test_every_vector_gives_the_integers_of_esp_dl(suite: str, op: str) -> None:
    cases = [case for case in golden.cases(suite) if case.op == op]
    findings = [finding for case in cases for finding in _check_case(case)]
    assert not findings, f"{len(findings)} findings in {len(cases)} cases:\n" + "\n".join(findings)


@pytest.mark.parametrize(
    "case", _zoo(), ids=lambda case: str(case.path).rpartition("/zoo/")[2].replace("/", "-")
)
def test_every_node_of_a_zoo_model_has_the_digest_of_esp_dl(case: golden.GoldenCase) -> None:
    engine = ReferenceEngine(case.path.read_bytes(), target_named(case.target))
    for vector in case.vectors:
        engine.reset()
        outputs = engine.run_nodes(case.inputs(vector))
        digests = case.digests(vector)
        assert [output.value for output in outputs] == [entry["tensor"] for entry in digests]
        wrong = [
            f"{vector} {entry['node']} ({entry['op']}): {output.value}"
            for output, entry in zip(outputs, digests, strict=True)
            if output.array.dtype.kind != "f"
            and hashlib.sha256(output.array.tobytes()).hexdigest() != entry["sha256"]
        ]
        assert not wrong, "first nodes that differ:\n" + "\n".join(wrong[:5])


def test_golden_data_is_where_the_suite_looks() -> None:
    assert golden.shared().is_dir()
    assert len(_groups()) > 300
