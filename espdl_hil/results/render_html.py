"""``report.html``: one self-contained page, no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from espdl_hil.results import pictures, summary
from espdl_hil.results.records import Report


def render_html(report: Report) -> str:
    """The page; every text from models and boards is escaped."""
    environment = Environment(
        loader=PackageLoader("espdl_hil.results"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    details = [
        {"check": check, "picture": Markup(pictures.node_picture(check))} for check in report.checks
    ]
    return environment.get_template("report.html.j2").render(
        report=report,
        columns=summary.COLUMNS,
        rows=summary.summary_rows(report),
        passed=[check.passed for check in report.checks] + [False] * len(report.bench_errors),
        totals=summary.totals(report),
        # The pictures escape their own texts.
        latency=Markup(pictures.latency_picture(report.checks)),
        accuracy=Markup(pictures.accuracy_picture(report.checks)),
        details=details,
        size_text=summary.size_text,
        latency_text=summary.latency_text,
    )


def write_html(path: Path, report: Report) -> None:
    """Write the page, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(render_html(report), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
