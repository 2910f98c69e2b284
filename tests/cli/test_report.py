"""``espdl-hil report``: results of several runs as one table, and its exit code."""

from __future__ import annotations

import pytest

from espdl_hil import cli
from espdl_hil.results.records import BenchErrorRecord, Report, read_report, write_report
from tests.support.results import check_record, difference

BROKEN = BenchErrorRecord("digits", "desk", virtual=False, error="DeadlineError", message="silent")
GOOD = check_record()
WRONG = check_record(board="desk", difference=difference(), vectors_equal=6)


@pytest.mark.parametrize(
    ("checks", "broken", "code"),
    [((GOOD,), (), 0), ((GOOD, WRONG), (), 1), ((GOOD,), (BROKEN,), 4), ((WRONG,), (BROKEN,), 1)],
)
def test_reports_of_several_hosts_become_one(tmp_path, capsys, checks, broken, code):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    write_report(one, Report("t1", {"python": "3.10", "numpy": "2"}, checks, (), 1, 2))
    write_report(two, Report("t2", {"python": "3.12", "numpy": "2"}, (), broken, 3, 4))
    page, out = tmp_path / "report.html", tmp_path / "all.json"
    words = ["report", str(one), str(two), "--html", str(page), "--json", str(out)]
    assert cli.main(words) == code
    text = capsys.readouterr().out
    assert "4 flashes, 6 model uploads" in text
    for check in checks:
        assert check.board in text
    merged = read_report(out)
    assert merged.versions == {"python": "3.10", "numpy": "2", "python (2)": "3.12"}
    assert (merged.checks, merged.bench_errors) == (checks, broken)
    assert "<svg" in page.read_text()


def test_a_file_that_is_none_is_named(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path / "absent.json")]) == 2
    assert "absent.json" in capsys.readouterr().err
