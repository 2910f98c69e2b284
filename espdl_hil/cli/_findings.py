"""How verbs show what a look at a model found."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from espdl_hil.analysis import Finding, Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def print_findings(console: Console, findings: Iterable[Finding]) -> None:
    """One or two lines each: severity, place, fact; then the hint."""
    for finding in findings:
        line = Text(finding.severity.value, style=_STYLES[finding.severity])
        place = " ".join(part for part in (finding.op_type, finding.node) if part)
        line.append(f" {printable(place)}:" if place else ":", style="bold")
        line.append(f" {printable(finding.what)}", style="")
        if finding.hint:
            line.append(f"\n  hint: {printable(finding.hint)}", style="dim")
        console.print(line, soft_wrap=True)


def printable(text: str) -> str:
    """Text from a file, without control characters that would reach the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
