"""A small seeded slice of each long run; ``make`` goals of the same names run them whole."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.endurance import cycles, fuzz, localise, wire_agreement
from tests.endurance.corpus import CORPUS, seeds
from tests.endurance.progress import Reporter
from tests.support import golden

FUZZ_EXECUTIONS = 2000
CYCLES = 240
TRIALS = 4


@pytest.fixture
def reporter(capsys: pytest.CaptureFixture[str]) -> Reporter:
    del capsys  # what the programs print is no business of the suite's output
    return Reporter()


@pytest.mark.parametrize("target", fuzz.CORPUS_TARGETS)
def test_the_corpus_and_what_comes_of_it_keep_the_invariants(target, tmp_path):
    outcome = fuzz.run_piece(target, FUZZ_EXECUTIONS, seed=1, folder=tmp_path)
    assert not outcome.finding
    files = [path for path in (CORPUS / target).rglob("*") if path.is_file()]
    assert outcome.executions == FUZZ_EXECUTIONS + len(files) > FUZZ_EXECUTIONS + 5


def test_a_fuzz_target_that_crashes_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "program", lambda target, clang: Path("/bin/false"))
    outcome = fuzz.run_piece("frames", 10, seed=1, folder=tmp_path)
    assert "code 1" in outcome.finding


def test_the_seeds_of_the_corpus_are_those_that_our_writer_makes():
    made = seeds()
    assert set(made) == set(fuzz.CORPUS_TARGETS)
    for target, by_name in made.items():
        stored = {path.name: path for path in (CORPUS / target).iterdir() if path.is_file()}
        assert set(stored) == set(by_name)
        wrong = [name for name, data in by_name.items() if stored[name].read_bytes() != data]
        assert not wrong, "make corpus writes them anew"


def test_a_day_of_faults_accepts_nothing_wrong_and_recovers(caplog):
    with caplog.at_level(logging.ERROR):
        tally = cycles.run(CYCLES, seed=11)
    assert tally.findings == []
    assert sum(sum(counts.values()) for counts in tally.by_trouble.values()) == CYCLES
    assert set(tally.by_trouble) == set(cycles.TROUBLES)
    outcomes = {name for counts in tally.by_trouble.values() for name in counts}
    assert len(outcomes) >= 2
    assert tally.accepted > CYCLES / 2
    assert tally.recoveries > 10


def test_a_wrong_number_would_be_noticed_as_accepted(monkeypatch):
    """The comparison that ten thousand cycles rest on can fail."""
    right = cycles.digest_of
    monkeypatch.setattr(cycles, "digest_of", lambda array: right(array)[::-1])
    tally = cycles.run(3, seed=11)
    assert any("WRONG RESULT ACCEPTED" in finding for finding in tally.findings)


@pytest.mark.parametrize("path", localise.MODELS[:2])
def test_one_wrong_bit_is_localised_to_its_node(path, reporter):
    golden.shared()
    tally = localise.localise(path, TRIALS, seed=7, reporter=reporter)
    assert tally.findings == []
    assert tally.localised == tally.trials == TRIALS
    assert tally.fetched == 1


@pytest.mark.parametrize("name", ["golden", "zoo"])
def test_integers_of_esp_dl_come_through_the_wire(name, reporter):
    golden.shared()
    cases = (
        wire_agreement.slice_cases(1)
        if name == "golden"
        else [case for case in wire_agreement.zoo_cases() if case.path.stat().st_size < 70_000]
    )
    tallies = wire_agreement.run_cases("host", cases, 2, reporter, name)
    assert set(tallies) == {"esp32", "esp32s3", "esp32p4"}
    assert [finding for tally in tallies.values() for finding in tally.findings] == []
    assert sum(tally.cases for tally in tallies.values()) == len(cases) >= 20
