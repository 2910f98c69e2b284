"""``espdl-hil run FILE --board B``: a model's integers, computed by a board."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from espdl_hil import pipeline
from espdl_hil.analysis import board_findings, cleared, refuse_errors
from espdl_hil.boards.capturing import run_capturing_all
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import BoardSession, open_session
from espdl_hil.cli._arrays import check_writable, read_arrays, write_arrays
from espdl_hil.cli._bench import add_inventory_option, ending_cleanly, inventory_of, progress_for
from espdl_hil.cli._containers import add_container_options
from espdl_hil.cli._findings import print_findings
from espdl_hil.errors import BoardError, ModelError
from espdl_hil.espdl import container
from espdl_hil.ir.types import Array
from espdl_hil.runs import Engine, LatencyUnit, RunRequest, RunResult

HELP = "run a model on a board and bring its integers back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("file", type=Path, help="an .espdl file")
    parser.add_argument("--board", required=True, metavar="B", help="a board's name")
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="IN.npz",
        help="integers by input name, stored layout (default: the file's test inputs)",
    )
    parser.add_argument(
        "--outputs", type=Path, metavar="OUT.npz", required=True, help="where to write the results"
    )
    values = parser.add_mutually_exclusive_group()
    values.add_argument("--all", action="store_true", help="every node output, not the last ones")
    values.add_argument(
        "--capture", action="append", default=[], metavar="NAME", help="this inner value too"
    )
    parser.add_argument("--repeat", type=_count, default=1, metavar="N", help="measured runs")
    parser.add_argument("--warmup", type=_count_or_none, default=0, metavar="N", help="runs before")
    parser.add_argument(
        "--engine", choices=[engine.value for engine in Engine], help="instead of the board's own"
    )
    add_container_options(parser)
    parser.add_argument(
        "--no-preflight", action="store_true", help="send the file whatever is known against it"
    )
    parser.add_argument("--firmware", type=Path, metavar="BUNDLE", help="as in `espdl-hil flash`")
    parser.add_argument(
        "--elf",
        type=Path,
        help="the application's ELF file, to decode a panic (default: the bundle's)",
    )
    parser.add_argument(
        "--deadline", type=float, metavar="S", help="seconds that a run may take, upload included"
    )
    parser.add_argument("--json", action="store_true", help="describe the results as JSON")
    add_inventory_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run on the board and write the values; 0 when it could be done."""
    check_writable(arguments.outputs)
    board = inventory_of(arguments).named(arguments.board)
    data = container.plain_file(
        pipeline.read_bytes(arguments.file), arguments.member, arguments.key
    )
    model = None if arguments.no_preflight else pipeline.load_model(data)
    engine = Engine(arguments.engine) if arguments.engine else None
    warnings = Console(stderr=True, highlight=False)
    if model is not None:
        print_findings(warnings, cleared(model, board.target))
        if not (model.test_inputs or arguments.inputs):
            raise ModelError("the file brings no test inputs", hint="give some: --inputs IN.npz")
    request = RunRequest(
        model=data,
        inputs=read_arrays(arguments.inputs) if arguments.inputs else {},
        engine=engine,
        capture=tuple(arguments.capture),
        repeat=arguments.repeat,
        warmup=arguments.warmup,
    )
    progress = progress_for(board, quiet=arguments.json)
    with (
        ending_cleanly(),
        open_session(
            board, firmware=arguments.firmware, progress=progress, elf=arguments.elf
        ) as session,
    ):
        if model is not None:
            refuse_errors(
                board_findings(model, len(data), session.identity, engine or board.engine)
            )
        run_it = run_capturing_all if arguments.all else BoardSession.run
        result = run_it(session, request, arguments.deadline)
        flashed = session.flashed
    values = {**result.captured, **result.outputs}
    # First what was measured: it is not to be lost where its values cannot be kept.
    if arguments.json:
        print(json.dumps(_document(arguments, board, result, values, flashed), indent=2))
    else:
        _print_report(board, result, values)
    write_arrays(arguments.outputs, values)
    if not arguments.json:
        print(f"wrote {len(values)} value(s) to {arguments.outputs}")
    if arguments.all:
        _demand_all(board, result, values)
    return 0


def _demand_all(board: Board, result: RunResult, values: dict[str, Array]) -> None:
    """Say which values the board could not keep; what it could is written already."""
    left_out = [row.value for row in result.nodes if row.value not in values]
    if left_out:
        raise BoardError(
            f"no room beside the model for {len(left_out)} of its values, the others are written: "
            + ", ".join(map(repr, left_out)),
            board=board.name,
            hint="capture on a board with more memory, or `simulate --all`: equal digests, "
            "equal values",
        )


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 0xFFFF:
        raise argparse.ArgumentTypeError("1 to 65535")
    return number


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _document(
    arguments: argparse.Namespace,
    board: Board,
    result: RunResult,
    values: dict[str, Array],
    flashed: bool,
) -> dict[str, object]:
    identity, link = result.board, result.link
    return {
        "file": str(arguments.file),
        "model_sha256": result.model_sha256,
        "board": board.name,
        "target": identity.target,
        "virtual": identity.virtual,
        "mac": identity.mac,
        "firmware_sha256": identity.firmware_sha256,
        "firmware_version": identity.firmware_version,
        "flashed": flashed,
        "latency_us": list(result.latency_us),
        "latency_unit": identity.latency_unit.value,
        "cycles": result.cycles,
        "temperature_c": result.temperature_c,
        "chip_revision": identity.chip_revision,
        "reset_reason": identity.reset_reason,
        "facts": dict(identity.facts),
        "link": {
            "bytes_up": link.bytes_up,
            "bytes_down": link.bytes_down,
            "model_uploaded": link.model_uploaded,
            "retries": link.retries,
        },
        "memory": [
            {
                "name": region.name,
                "total_bytes": region.total_bytes,
                "free_bytes": region.free_bytes,
                "high_water_bytes": region.high_water_bytes,
            }
            for region in result.memory
        ],
        "nodes": [
            {
                "node": row.node,
                "op_type": row.op_type,
                "value": row.value,
                "exponent": row.exponent,
                "digest": row.digest,
                "latency_us": row.latency_us,
            }
            for row in result.nodes
        ],
        "outputs": str(arguments.outputs),
        "values": [
            {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in values.items()
        ],
        "log": list(result.log),
    }


def _print_report(board: Board, result: RunResult, values: dict[str, Array]) -> None:
    kind = "virtual board" if result.board.virtual else "board"
    median = float(np.median(result.latency_us))
    timed = result.board.latency_unit is LatencyUnit.MICROSECONDS
    latency = f"{median / 1000:.3f} ms" if timed else f"{median / 1000:.3f} M instructions"
    runs = len(result.latency_us)
    title = f"{kind} {board.name} ({result.board.target}): {latency}, median of {runs} run(s)"
    table = Table(box=SIMPLE)
    for column in ("value", "type", "shape", "min", "max"):
        table.add_column(column)
    for name, array in values.items():
        low, high = (array.min(), array.max()) if array.size else ("", "")
        cells = (name, str(array.dtype), str(list(array.shape)), str(low), str(high))
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    console.print(title, markup=False, soft_wrap=True)
    console.print(table)
    link = result.link
    upload = "model uploaded" if link.model_uploaded else "model was there"
    console.print(
        f"{upload}; {link.bytes_up} bytes up, {link.bytes_down} down, {link.retries} repeats"
    )
