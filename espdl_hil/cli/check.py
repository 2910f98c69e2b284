"""``espdl-hil check MODEL``: what stands between a model and a target, with nothing flashed."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from espdl_hil.analysis import LayerHeadroom, Severity
from espdl_hil.cli._arrays import read_arrays
from espdl_hil.cli._containers import add_container_options
from espdl_hil.cli._findings import print_findings, printable
from espdl_hil.errors import ConfigError
from espdl_hil.inspection import Inspection, inspect_model

HELP = "say what stops a model on a target: operators, exponents, layouts, memory, accumulators"

_EXIT_FINE = 0
_EXIT_STOPPED = 3
_PIPE_WIDTH = 160
_TIGHT_BITS = 2.0  # layers with more room are summed up in one line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", type=Path, help="an .espdl file, or an ONNX model")
    parser.add_argument(
        "--target", metavar="T", help="chip (default: what the file names); c means the esp32 class"
    )
    parser.add_argument(
        "--bits", type=int, choices=(8, 16), default=8, help="integer width for an ONNX model"
    )
    parser.add_argument(
        "--calib",
        type=Path,
        metavar="CALIB.npz",
        help="inputs by name, samples first: shows what they reach in the accumulators "
        "(default: the file's test inputs)",
    )
    parser.add_argument(
        "--end-at",
        metavar="VALUE",
        action="append",
        default=[],
        help="let an ONNX model end at this value, as quantize does; may be given several times",
    )
    add_container_options(parser)
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print all findings; 0 when nothing stops the model, 3 when something does.

    Raises:
        ConfigError: the model cannot be opened, or no target is named.
        FormatError: a malformed ``.espdl`` file.
        ModelError: not a model at all, or samples that do not fit it.
    """
    path: Path = arguments.model
    if not path.is_file():
        raise ConfigError("there is no such model file", file=path)
    samples = read_arrays(arguments.calib) if arguments.calib else None
    inspection = inspect_model(
        path,
        arguments.target,
        bits=arguments.bits,
        samples=samples,
        outputs=arguments.end_at,
        member=arguments.member,
        key=arguments.key,
    )
    if arguments.json:
        print(json.dumps(_document(path, inspection), indent=2, allow_nan=False))
    else:
        _print_report(path, inspection)
    return _EXIT_FINE if inspection.runs else _EXIT_STOPPED


def _document(path: Path, inspection: Inspection) -> dict[str, Any]:
    return {
        "file": str(path),
        "target": inspection.target.name,
        "runs": inspection.runs,
        "findings": [
            {**asdict(finding), "severity": finding.severity.value}
            for finding in inspection.findings
        ],
        "memory_bytes": asdict(inspection.memory),
        "headroom": [
            {
                "node": row.node,
                "op_type": row.op_type,
                "tail": row.tail,
                "channels": row.channels,
                "accumulator_bits": row.accumulator.bits,
                "overflow": row.accumulator.overflow.value,
                "bound": row.bound,
                "bits_free": round(row.bits_free, 2),
                "channels_at_risk": list(row.at_risk),
                "reached": row.reached,
                "overflows": row.left,
            }
            for row in inspection.headroom
        ],
    }


def _print_report(path: Path, inspection: Inspection) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    counts = dict.fromkeys(Severity, 0)
    for finding in inspection.findings:
        counts[finding.severity] += 1
    print_findings(console, inspection.findings)
    memory = inspection.memory
    peak = f" (at node {memory.peak_node})" if memory.peak_node else ""
    console.print(
        f"memory: parameters {_kib(memory.parameters)}, activations at least "
        f"{_kib(memory.activations)}{peak}, test vectors {_kib(memory.test_vectors)}",
        soft_wrap=True,
        markup=False,
    )
    _print_headroom(console, inspection.headroom)
    summary = ", ".join(f"{count} {severity.value}(s)" for severity, count in counts.items())
    verdict = "runs" if inspection.runs else "does not run"
    console.print(
        f"{path}: {verdict} on {inspection.target.name}: {summary}", soft_wrap=True, markup=False
    )


def _print_headroom(console: Console, rows: Sequence[LayerHeadroom]) -> None:
    tight = [row for row in rows if row.bits_free < _TIGHT_BITS]
    if tight:
        table = Table(title="accumulators", box=SIMPLE, title_justify="left", title_style="bold")
        columns = (
            "layer",
            "channels",
            "register",
            "free (bound)",
            "at risk",
            "free (seen)",
            "over",
        )
        for title in columns:
            table.add_column(title, overflow="fold")
        for row in tight:
            table.add_row(*map(Text, _cells(row)))
        console.print(table)
    if rows:
        least = min((row.bits_free for row in rows), default=math.inf)
        console.print(
            f"accumulators: {len(rows) - len(tight)} of {len(rows)} have {_TIGHT_BITS:g} or more "
            f"bits to spare for any input; the tightest has {least:.1f}",
            soft_wrap=True,
        )


def _cells(row: LayerHeadroom) -> tuple[str, ...]:
    seen = "" if row.bits_seen is None else f"{row.bits_seen:.1f} bits"
    return (
        f"{row.op_type} {printable(row.node)}" + (" (tail)" if row.tail else ""),
        str(row.channels),
        f"{row.accumulator.bits} bit, {row.accumulator.overflow.value}s",
        f"{row.bits_free:.1f} bits",
        str(len(row.at_risk)),
        seen,
        "" if row.left is None else str(row.left),
    )


def _kib(count: int) -> str:
    return f"{count / 1024:.1f} KiB"
