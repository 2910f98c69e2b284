"""What tests found, carried from the worker that ran them to the reports.

The law of this file: a finding travels as plain data on the test report, so that it arrives the
same way with and without pytest-xdist.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from espdl_hil.errors import BoardError
from espdl_hil.results.environment import versions
from espdl_hil.results.records import (
    BenchErrorRecord,
    CheckRecord,
    Report,
    from_plain,
    to_plain,
    write_report,
)

if TYPE_CHECKING:
    from espdl_hil.boards.inventory import Board

CHECKS: pytest.StashKey[list[CheckRecord]] = pytest.StashKey()
"""On an item: what it checked."""

_ATTRIBUTE = "espdl_hil"
_PACKAGES = ("numpy", "pytest", "esptool", "pyserial", "onnx", "onnxruntime", "onnxslim")


class HilMismatchError(AssertionError):
    """A board computed something else, or a budget is broken; the text is the whole finding."""


def require_passed(item: pytest.Item, record: CheckRecord) -> CheckRecord:
    """Note what ``item`` found, for the reports and as JUnit properties, and return it.

    Raises:
        HilMismatchError: an integer differs, or a budget is broken.
    """
    from espdl_hil.checking import finding

    item.stash.setdefault(CHECKS, []).append(record)
    item.user_properties.extend(junit_properties(record))
    if not record.passed:
        raise HilMismatchError(finding(record))
    return record


def junit_properties(record: CheckRecord) -> list[tuple[str, object]]:
    """What a result must say of itself, as name and value."""
    found: list[tuple[str, object]] = [
        ("board", record.board),
        ("target", record.target),
        ("virtual", str(record.virtual).lower()),
        ("engine", record.engine),
        ("bit_equal", str(record.equal).lower()),
        ("vectors", record.vectors),
        ("max_lsb", record.max_lsb),
        ("open_nodes", len(record.open_nodes)),
        ("open_nodes_differing", sum(bool(node.vectors) for node in record.open_nodes)),
        ("latency_us", round(record.median_latency_us, 1)),
        ("model_sha256", record.model_sha256),
        ("source_sha256", record.source_sha256),
        ("firmware_sha256", record.firmware_sha256),
        ("firmware_version", record.firmware_version),
        ("seed", record.seed),
    ]
    found += [
        ("open_node", f"{node.node} ({node.op_type}): {node.why}; {node.source}")
        for node in record.open_nodes
    ]
    if record.accuracy is not None:
        found.append((f"board_{record.accuracy.metric}", record.accuracy.board))
    return found


def attach(
    report: pytest.TestReport, item: pytest.Item, error: BaseException | None, board: Board | None
) -> None:
    """Put the findings of ``item`` on its report, and make a bench fault an ERROR.

    pytest calls a failure outside the test's own body an error, and CI may retry errors only; a
    board that fell off the bench is one, wherever it happened.
    """
    if isinstance(error, BoardError) and board is not None:
        if report.when == "call":
            report.when = "setup"
        broken = BenchErrorRecord(
            model=_model_of(item),
            board=board.name,
            virtual=board.virtual,
            error=type(error).__name__,
            message=str(error),
        )
        setattr(report, _ATTRIBUTE, {"bench": to_plain(broken)})
    elif report.when == "call" and CHECKS in item.stash:
        plain = [to_plain(record) for record in item.stash[CHECKS]]
        setattr(report, _ATTRIBUTE, {"checks": plain})


class Collector:
    """Gathers the findings of all reports; lives in the controlling process."""

    def __init__(self, root: Path, created: str) -> None:
        """Start empty; ``root`` is the project under test, ``created`` the time in ISO 8601."""
        self._root = root
        self._created = created
        self._checks: list[CheckRecord] = []
        self._broken: list[BenchErrorRecord] = []

    def add(self, report: pytest.TestReport) -> None:
        """Take the findings of one test report."""
        found: Mapping[str, Any] = getattr(report, _ATTRIBUTE, {})
        self._checks += [from_plain(CheckRecord, plain) for plain in found.get("checks", ())]
        if "bench" in found:
            self._broken.append(from_plain(BenchErrorRecord, found["bench"]))

    def report(self) -> Report | None:
        """Everything so far; ``None`` where no board was involved."""
        if not self._checks and not self._broken:
            return None
        return Report(
            created=self._created,
            versions=versions(self._root, _PACKAGES),
            checks=tuple(self._checks),
            bench_errors=tuple(self._broken),
            flashes=len({check.board for check in self._checks if check.flashed}),
            uploads=sum(check.model_uploaded for check in self._checks),
        )


def summary_text(report: Report, width: int) -> str:
    """The table and the totals under it, as plain text for pytest's own terminal."""
    # Imported here: a pytest run without boards should not pay for tables.
    from rich.console import Console

    from espdl_hil.results.summary import summary_table, totals

    stream = io.StringIO()
    console = Console(file=stream, width=width, no_color=True, highlight=False)
    console.print(summary_table(report))
    for line in totals(report):
        console.print(line, markup=False)
    return stream.getvalue()


def write_reports(folder: Path, report: Report) -> None:
    """Write ``results.json`` and ``report.html`` into ``folder``, which is made."""
    # Imported here: a pytest run without boards should not pay for a template engine.
    from espdl_hil.results.render_html import write_html

    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder / "results.json", report)
    write_html(folder / "report.html", report)


def _model_of(item: pytest.Item) -> str:
    return item.name.split("[")[0]
