"""``docs/support.md`` says what is registered and what was measured; ``make support`` writes it."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from espdl_hil.ops import OPERATORS
from tests.agreement.twins import agree
from tests.support import golden
from tools.support_table import (
    EVIDENCE,
    TABLE,
    c_operators,
    cell_text,
    golden_cells,
    key_of,
    render,
)

AGAIN = "run `make support`"


@pytest.fixture(scope="module")
def evidence():
    return json.loads(EVIDENCE.read_text(encoding="utf-8"))


def test_the_page_is_what_the_evidence_gives(evidence):
    assert TABLE.read_text(encoding="utf-8") == render(evidence), AGAIN


def test_every_operator_has_evidence_on_every_kernel_family(evidence):
    for name in OPERATORS:
        for target in ("esp32", "esp32s3", "esp32p4"):
            cells = [cell_text(key_of(name, target, bits), evidence) for bits in (8, 16, 32)]
            assert set(cells) - {"–", "refused"}, f"{name} on {target}: {cells}; {AGAIN}"


def test_both_engines_have_every_operator():
    assert c_operators() == set(OPERATORS)


def test_nothing_that_was_measured_differs(evidence):
    assert evidence["differing"] == []
    assert [cell for cell, (equal, vectors) in evidence["golden"].items() if equal < vectors] == []


def test_the_recorded_vectors_are_all_counted(evidence):
    vectors: Counter[str] = Counter()
    for suite in golden.SUITES:
        for case in golden.cases(suite):
            for cell in golden_cells(case):
                vectors[cell] += len(case.vectors)
    assert {cell: count for cell, (_, count) in evidence["golden"].items()} == vectors, AGAIN


def test_a_fresh_slice_of_random_models_says_the_same(evidence):
    tally = agree(seed=5, rounds=1)
    ran = {key_of(*key) for key, count in tally.executions.items() if count}
    known = {cell for cell, (count, _) in evidence["twins"].items() if count}
    assert ran <= known, AGAIN
