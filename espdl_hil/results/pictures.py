"""Pictures of a report as inline SVG: bars, drawn without a plotting library.

The law of this file: text goes through ``escape``; widths are computed, colours come from the
page's style sheet by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from espdl_hil.results.records import CheckRecord
from espdl_hil.results.summary import latency_text

_ROW = 22
_LABEL = 260
_BARS = 360
_NUMBERS = 110


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its length, the text behind it and its style class."""

    label: str
    value: float
    text: str
    kind: str = "board"


def bars(title: str, items: Sequence[Bar], *, full: float | None = None) -> str:
    """A horizontal bar chart.

    Args:
        title: read aloud by screen readers, shown on hover.
        items: from top to bottom.
        full: the value of a bar of full length; the largest value by default.
    """
    largest = full if full is not None else max((bar.value for bar in items), default=0.0)
    width, height = _LABEL + _BARS + _NUMBERS, _ROW * len(items) + 4
    lines = [
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(title)}</title>",
    ]
    for row, bar in enumerate(items):
        top = row * _ROW + 4
        length = _BARS * max(0.0, min(1.0, bar.value / largest)) if largest > 0 else 0.0
        lines += [
            f'<text x="{_LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="{escape(bar.kind)}" x="{_LABEL}" y="{top}" width="{length:.1f}" '
            f'height="{_ROW - 6}" rx="2"/>',
            f'<text x="{_LABEL + length + 6:.1f}" y="{top + 13}">{escape(bar.text)}</text>',
        ]
    return "\n".join([*lines, "</svg>"])


def latency_picture(checks: Sequence[CheckRecord]) -> str:
    """Median latency of every check."""
    return bars(
        "median latency per model and board",
        [
            Bar(
                f"{check.model} · {check.board_label}",
                check.median_latency_us,
                latency_text(check),
                "virtual" if check.virtual else "board",
            )
            for check in checks
        ],
    )


def accuracy_picture(checks: Sequence[CheckRecord]) -> str:
    """Float, simulator and board accuracy of the checks scored by ``top1``; empty without any."""
    items = []
    for check in checks:
        accuracy = check.accuracy
        if accuracy is None or accuracy.metric != "top1":
            continue
        name = f"{check.model} · {check.board_label}"
        if accuracy.floating is not None:
            text = f"{accuracy.floating:.1%} float"
            items.append(Bar(name, accuracy.floating, text, "float"))
        items.append(Bar("", accuracy.simulated, f"{accuracy.simulated:.1%} simulator", "sim"))
        items.append(Bar("", accuracy.board, f"{accuracy.board:.1%} board", "board"))
    return bars("accuracy on held-out samples", items, full=1.0) if items else ""


def node_picture(check: CheckRecord, limit: int = 40) -> str:
    """Latency of the nodes of one check, the first differing one marked; empty without any.

    At most ``limit`` nodes: the slowest ones, in execution order.
    """
    slowest = sorted(check.node_latencies, key=lambda node: -node.latency_us)[:limit]
    wrong = check.difference.node if check.difference else ""
    kept = {node.node for node in slowest} | {wrong}
    items = [
        Bar(
            f"{node.node} ({node.op_type})",
            node.latency_us,
            f"{node.latency_us:.1f} µs" + (" ← first difference" if node.node == wrong else ""),
            "wrong" if node.node == wrong else "board",
        )
        for node in check.node_latencies
        if node.node in kept
    ]
    return bars(f"nodes of {check.model} on {check.board}", items) if items else ""
