"""Records and their three renderings: JSON, table, page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from espdl_hil.errors import ConfigError
from espdl_hil.results.records import (
    SCHEMA,
    BenchErrorRecord,
    BudgetRecord,
    CheckRecord,
    OpenNodeRecord,
    Report,
    from_plain,
    read_report,
    to_plain,
    write_report,
)
from espdl_hil.results.render_html import render_html
from espdl_hil.results.summary import (
    COLUMNS,
    latency_text,
    summary_rows,
    summary_table,
    totals,
)
from tests.support.results import check_record, difference

BROKEN = BenchErrorRecord("digits", "desk", virtual=False, error="DeadlineError", message="silent")

OPEN = OpenNodeRecord(
    node="norm",
    op_type="LayerNormalization",
    value="y",
    steps=1,
    relative=0.0,
    why="sums in <float32>",
    source="esp-dl 12c0616 dl_module_layer_normalization.hpp",
    vectors=2,
    largest=1.0,
)


def report(*checks: CheckRecord, broken: tuple[BenchErrorRecord, ...] = ()) -> Report:
    return Report("2026-01-02T03:04:05+00:00", {"python": "3.x"}, checks, broken, 1, 2)


@pytest.mark.parametrize(
    "record",
    [
        check_record(),
        check_record(difference=difference(), accuracy=None, latency_us=()),
        check_record(node_latencies=(), memory=(), budgets=()),
        check_record(open_nodes=(OPEN,)),
    ],
)
def test_a_record_comes_back_equal_from_plain_data(record):
    assert from_plain(CheckRecord, json.loads(json.dumps(to_plain(record)))) == record


def test_a_report_comes_back_equal_from_its_file(tmp_path):
    original = report(check_record(), check_record(difference=difference()), broken=(BROKEN,))
    write_report(tmp_path / "results.json", original)
    assert read_report(tmp_path / "results.json") == original
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 0}', f'{{"schema": {SCHEMA + 1}}}'])
def test_another_file_is_refused_by_name(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"results\.json"):
        read_report(path)


def test_an_unknown_field_is_named():
    plain = to_plain(check_record()) | {"colour": "red"}
    with pytest.raises(ConfigError, match="colour"):
        from_plain(CheckRecord, plain)


@pytest.mark.parametrize(
    ("made", "passed"),
    [
        (report(check_record()), True),
        (report(), False),
        (report(check_record(difference=difference(), vectors_equal=6)), False),
        (report(check_record(budgets=(BudgetRecord("size_bytes", 1, 2, kept=False),))), False),
        (report(check_record(), broken=(BROKEN,)), False),
    ],
)
def test_passed_means_that_something_was_checked_and_all_of_it_held(made, passed):
    assert made.passed is passed


def test_the_table_has_a_row_per_check_and_per_bench_error():
    rows = summary_rows(report(check_record(), check_record(board="desk"), broken=(BROKEN,)))
    assert [row[1] for row in rows] == ["virtual-esp32s3", "desk (virtual)", "desk"]
    assert rows[0][2:5] == ("yes, 7/7", "0", "top1 99.0% / 98.0% / 98.0%")
    assert rows[0][5] == "12 µs"
    assert "DeadlineError" in rows[2][2]


def test_the_totals_count_flashes_and_uploads_and_say_what_virtual_means():
    lines = "\n".join(totals(report(check_record())))
    assert "1 flash, 2 model uploads" in lines
    assert "no chip took part" in lines
    assert "no chip took part" not in "\n".join(totals(report(check_record(virtual=False))))


def test_names_from_a_board_are_no_markup_in_the_table():
    table = summary_table(report(check_record(model="[red]x[/nothing]")))
    assert [str(column.header) for column in table.columns] == list(COLUMNS)
    assert [str(cell) for cell in table.columns[0].cells] == ["[red]x[/nothing]"]


def test_a_broken_budget_stands_in_the_table():
    budget = BudgetRecord("accuracy_drop", 0.01, 0.2, kept=False)
    rows = summary_rows(report(check_record(budgets=(budget,))))
    assert "accuracy_drop" in rows[0][2]


class _Page(HTMLParser):
    """Collects tags and attributes; checks nesting."""

    VOID = frozenset({"meta", "rect"})

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing():
    page = render_html(
        report(check_record(), check_record(difference=difference()), broken=(BROKEN,))
    )
    parser = _Page()
    parser.feed(page)
    assert parser.open == []
    assert parser.links == []
    assert "script" not in parser.seen
    assert parser.seen.count("svg") == 4  # accuracy, latency, and the nodes of both checks


def test_texts_from_models_and_boards_cannot_write_into_the_page():
    evil = '<script>alert("x")</script>'
    page = render_html(
        report(
            check_record(
                model=evil,
                board=evil,
                firmware_version=evil,
                difference=difference(evil),
            ),
            broken=(BenchErrorRecord(evil, evil, virtual=True, error=evil, message=evil),),
        )
    )
    assert "<script" not in page


def test_the_first_differing_node_is_marked_in_the_picture():
    page = render_html(report(check_record(difference=difference())))
    assert re.search(r"first difference</text>", page)


def test_what_the_compiler_decides_is_told_in_the_totals_and_on_the_page():
    made = report(check_record(), check_record(open_nodes=(OPEN,)))
    (line,) = [line for line in totals(made) if "compiler" in line]
    assert "1 node output may differ by 1 step (LayerNormalization" in line
    assert line.endswith("1 did")
    page = render_html(made)
    assert "norm (LayerNormalization)" in page
    assert "1 LSB" in page
    assert "1.0 in 2 of 7 input sets" in page
    assert "sums in &lt;float32&gt;" in page
    assert OPEN.source in page


def test_instructions_are_never_shown_as_time():
    counted = check_record(latency_unit="instructions", latency_us=(1234.5, 1234.5))
    assert latency_text(counted) == "1.234 M instructions"
    assert any("no chip's time" in line for line in totals(report(counted)))
    page = render_html(report(counted))
    assert "1.234 M instructions" in page
    assert "µs" not in page.split("<th>latency</th>")[1].split("</tr>")[0]


def test_spread_and_conditions_are_on_the_page():
    record = check_record(
        latency_us=tuple(range(100, 120)),
        cycles=26_160,
        temperature_c=41.5,
        chip_revision="v1.3",
        reset_reason="poweron",
        facts={"cpu_mhz": "240", "xip": "psram"},
    )
    assert record.p95_latency_us == 118
    assert 0.05 < record.latency_cv < 0.06
    page = render_html(report(record))
    for text in ("95 % within 118.0", "26160 cycles", "41.5 °C", "v1.3", "cpu_mhz 240"):
        assert text in page
