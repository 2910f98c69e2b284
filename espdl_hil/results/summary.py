"""The summary table: one row per model and board.

The law of this file: it returns cells, lines and a table; whoever holds the terminal prints them.
"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from espdl_hil.results.records import AccuracyRecord, CheckRecord, Report

COLUMNS = (
    "model",
    "board",
    "bit-equal",
    "max LSB",
    "float / simulator / board",
    "latency",
    "up / down",
    "memory",
)


def summary_rows(report: Report) -> list[tuple[str, ...]]:
    """The cells of the table, as text, in the order of ``COLUMNS``."""
    rows = [_row(check) for check in report.checks]
    for broken in report.bench_errors:
        label = f"{broken.board} (virtual)" if broken.virtual else broken.board
        rows.append((broken.model, label, f"bench: {broken.error}", "", "", "", "", ""))
    return rows


def summary_table(report: Report) -> Table:
    """The table, to be printed by a console; ``totals`` belong under it."""
    table = Table(title="espdl-hil", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in summary_rows(report):
        table.add_row(*map(Text, row))
    return table


def totals(report: Report) -> list[str]:
    """The lines under the table: counters, and what the word virtual means for the figures."""
    lines = [
        f"{len(report.checks)} checked, {sum(c.passed for c in report.checks)} passed, "
        f"{len(report.bench_errors)} bench errors; "
        f"{_count(report.flashes, 'flash', 'es')}, {_count(report.uploads, 'model upload')}"
    ]
    if any(check.virtual for check in report.checks):
        lines.append("virtual: no chip took part; latency and memory are those of the host's CPU")
    if any(check.counts_instructions for check in report.checks):
        lines.append("instructions: counted by an emulated CPU, equal in every run; no chip's time")
    lines += [text for check in report.checks if (text := open_text(check))]
    return lines


def open_text(check: CheckRecord) -> str:
    """What the chip's compiler decides in this model, and what came of it; empty if nothing."""
    if not check.open_nodes:
        return ""
    steps = max(node.steps for node in check.open_nodes)
    kinds = ", ".join(sorted({node.op_type for node in check.open_nodes}))
    differed = sum(bool(node.vectors) for node in check.open_nodes)
    allowed = f"by {_count(steps, 'step')}" if steps else "as floats do"
    return (
        f"{check.model} on {check.board_label}: {_count(len(check.open_nodes), 'node output')} may "
        f"differ {allowed} ({kinds}: the chip's compiler decides), {differed} did"
    )


def accuracy_text(accuracy: AccuracyRecord) -> str:
    """Float, simulator and board score, as percentages or numbers."""

    def one(score: float | None) -> str:
        if score is None:
            return "–"
        return f"{score:.1%}" if accuracy.metric == "top1" else f"{score:.4g}"

    scores = (accuracy.floating, accuracy.simulated, accuracy.board)
    return f"{accuracy.metric} " + " / ".join(one(score) for score in scores)


def latency_text(check: CheckRecord) -> str:
    """The median latency in the unit that fits."""
    if not check.latency_us:
        return "–"
    microseconds = check.median_latency_us
    if check.counts_instructions:
        return f"{microseconds / 1000:.3f} M instructions"
    if microseconds >= 10_000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds:.0f} µs" if microseconds >= 10 else f"{microseconds:.1f} µs"


def size_text(size_bytes: int) -> str:
    """A number of bytes for people."""
    if size_bytes >= 10 * 1024 * 1024:
        return f"{size_bytes / 1024 / 1024:.1f} MiB"
    return f"{size_bytes / 1024:.1f} KiB" if size_bytes >= 10 * 1024 else f"{size_bytes} B"


def memory_text(check: CheckRecord) -> str:
    """The high-water mark of each kind of memory."""
    used = [region for region in check.memory if region.high_water_bytes]
    return ", ".join(f"{region.name} {size_text(region.high_water_bytes)}" for region in used)


def _row(check: CheckRecord) -> tuple[str, ...]:
    equal = f"{'yes' if check.equal else 'NO'}, {check.vectors_equal}/{check.vectors}"
    broken = [budget.name for budget in check.budgets if not budget.kept]
    if broken:
        equal += f"; over budget: {', '.join(broken)}"
    return (
        check.model,
        check.board_label,
        equal,
        str(check.max_lsb),
        accuracy_text(check.accuracy) if check.accuracy else "–",
        latency_text(check),
        f"{size_text(check.bytes_up)} / {size_text(check.bytes_down)}",
        memory_text(check),
    )


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
