"""``espdl-hil report RESULTS…``: tables and page of results, also joined from several runs."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from rich.console import Console

from espdl_hil.cli import EXIT_EQUAL, EXIT_MISMATCH
from espdl_hil.errors import BoardError
from espdl_hil.results.records import Report, joined, read_report, write_report
from espdl_hil.results.render_html import write_html
from espdl_hil.results.summary import summary_table, totals

HELP = "show results.json files as a table or a page, joined into one"

_NARROWEST = 140


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS.json")
    parser.add_argument("--html", type=Path, metavar="REPORT.html", help="write the page")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the joined results")


def run(arguments: argparse.Namespace) -> int:
    """Print the table; 0 where all passed, 1 on a mismatch, 4 where the bench failed."""
    report: Report = joined([read_report(path) for path in arguments.results])
    console = Console(width=max(shutil.get_terminal_size().columns, _NARROWEST), highlight=False)
    console.print(summary_table(report))
    for line in totals(report):
        console.print(line, markup=False)
    if arguments.html is not None:
        write_html(arguments.html, report)
    if arguments.json is not None:
        write_report(arguments.json, report)
    if not all(check.passed for check in report.checks):
        return EXIT_MISMATCH
    return BoardError.exit_code if report.bench_errors else EXIT_EQUAL
