"""``espdl-hil simulate FILE``: the integers that a board would compute."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from espdl_hil import pipeline
from espdl_hil.cli._arrays import check_writable, read_arrays, write_arrays
from espdl_hil.cli._containers import add_container_options
from espdl_hil.ir.lowered import LoweredModel
from espdl_hil.ir.types import Array
from espdl_hil.simulator import Simulator

HELP = "compute a model's integers on this machine, bit for bit as the target does"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("file", type=Path, help="an .espdl file")
    parser.add_argument(
        "--target", metavar="T", help="chip (default: what the file names); c means the esp32 class"
    )
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="IN.npz",
        help="integers by input name, stored layout (default: the file's test inputs)",
    )
    parser.add_argument(
        "--outputs", type=Path, metavar="OUT.npz", required=True, help="where to write the results"
    )
    parser.add_argument("--all", action="store_true", help="every node output, not the last ones")
    add_container_options(parser)
    parser.add_argument("--json", action="store_true", help="describe the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Simulate once and write the values; 0 when it could be done."""
    check_writable(arguments.outputs)
    model = pipeline.load_model(arguments.file, member=arguments.member, key=arguments.key)
    target = pipeline.resolve_target(model, arguments.target)
    inputs = read_arrays(arguments.inputs) if arguments.inputs else None
    simulator = Simulator(model, target)
    start = time.perf_counter()
    values = simulator.run(inputs, keep="all" if arguments.all else None)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    write_arrays(arguments.outputs, values)
    if arguments.json:
        document = {
            "file": str(arguments.file),
            "target": target.name,
            "elapsed_ms": round(elapsed_ms, 3),
            "outputs": str(arguments.outputs),
            "values": [
                {
                    "name": name,
                    "dtype": str(array.dtype),
                    "shape": list(array.shape),
                    "exponents": list(model.values[name].exponents),
                }
                for name, array in values.items()
            ],
        }
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        _print_report(model, values, target.name, elapsed_ms)
        print(f"wrote {len(values)} value(s) to {arguments.outputs}")
    return 0


def _print_report(
    model: LoweredModel, values: dict[str, Array], target: str, elapsed_ms: float
) -> None:
    console = Console(highlight=False)
    table = Table(
        title=f"simulated as {target} in {elapsed_ms:.0f} ms", box=SIMPLE, title_justify="left"
    )
    for title in ("value", "type", "shape", "exponent", "min", "max"):
        table.add_column(title)
    for name, array in values.items():
        exponents = ", ".join(map(str, model.values[name].exponents))
        low, high = (array.min(), array.max()) if array.size else ("", "")
        cells = (name, str(array.dtype), str(list(array.shape)), exponents, str(low), str(high))
        table.add_row(*map(Text, cells))
    console.print(table)
