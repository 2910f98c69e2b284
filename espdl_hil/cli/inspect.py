"""``espdl-hil inspect FILE``: what an ``.espdl`` file holds, for people or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from espdl_hil import espdl
from espdl_hil.cli._containers import add_container_options
from espdl_hil.errors import ConfigError
from espdl_hil.espdl import container, summary
from espdl_hil.ir.lowered import LoweredModel, LoweredNode, Tensor

HELP = "show what an .espdl file holds: graph, shapes, exponents, layouts, test vectors, sizes"

_PIPE_WIDTH = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("file", type=Path, help="an .espdl file or a pack of several")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    add_container_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the description; 0 when the file could be read.

    Raises:
        ConfigError: the file cannot be opened, or holds no such member.
        FormatError: the file is malformed, or encrypted and ``--key`` is missing.
    """
    path: Path = arguments.file
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise ConfigError(f"cannot be read: {cause.strerror or cause}", file=path) from cause
    members = container.list_members(data)
    chosen = container.choose_member(data, arguments.member)
    model = espdl.read(data, member=members.index(chosen), key=arguments.key)
    file = {
        "file": str(path),
        "container": data[:4].decode("ascii"),
        "member": chosen.name,
        "members": [member.name for member in members],
        "size_bytes": chosen.size_bytes,
    }
    if arguments.json:
        document = {**file, **summary.describe(model, chosen.size_bytes)}
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        _print_report(file, model, chosen.size_bytes)
    return 0


def _print_report(file: dict[str, object], model: LoweredModel, size_bytes: int) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    targets = ", ".join(target.name for target in summary.possible_targets(model))
    lines = {
        "file": f"{file['file']} ({file['container']}, {size_bytes} bytes)",
        "member": file["member"] and f"{file['member']} of {file['members']}",
        "graph": f"{model.name}: {len(model.nodes)} nodes, {len(model.parameters)} parameters",
        "target": targets or "not named in the file",
        "metadata": ", ".join(f"{key}={value}" for key, value in model.metadata.items()),
    }
    for title, line in lines.items():
        if line:
            console.print(_shown(f"{title + ':':10}{line}"), soft_wrap=True)
    console.print(_values_table("graph inputs", model, model.inputs))
    console.print(_values_table("graph outputs", model, model.outputs))
    console.print(_nodes_table(model))
    for title, tensors in (
        ("test inputs", model.test_inputs),
        ("test outputs", model.test_outputs),
    ):
        if tensors:
            console.print(_tensors_table(title, tensors))
    console.print(_sizes_table(summary.measure_sizes(model, size_bytes), size_bytes))


def _values_table(title: str, model: LoweredModel, names: Sequence[str]) -> Table:
    table = _table(title, "name", "type", "shape", "exponent")
    for name in names:
        value = model.values[name]
        cells = (name, value.dtype.name, _dims(value.shape), _exponents(value.exponents))
        table.add_row(*map(_shown, cells))
    return table


def _nodes_table(model: LoweredModel) -> Table:
    table = _table("nodes", "#", "operator", "name", "inputs", "parameters", "outputs")
    for number, node in enumerate(model.nodes):
        cells = (
            str(number),
            node.op_type,
            node.name,
            _activations(model, [name for name in node.inputs if name not in model.parameters]),
            _parameters(model, node),
            _activations(model, node.outputs),
        )
        table.add_row(*map(_shown, cells))
    return table


def _activations(model: LoweredModel, names: Sequence[str]) -> str:
    """Type, shape and exponent of each value, as in ``INT8 1x8x8x16 e-5``."""
    lines = []
    for name in names:
        value = model.values.get(name)
        if name and value is not None:
            parts = (value.dtype.name, _dims(value.shape), "e" + _exponents(value.exponents))
            lines.append(" ".join(parts))
    return "\n".join(lines)


def _parameters(model: LoweredModel, node: LoweredNode) -> str:
    """Dimensions, exponents and packing of each parameter of a node, its lookup table last."""
    lines = []
    for name in (*node.inputs, summary.lookup_table(node)):
        tensor = model.parameters.get(name)
        if tensor is not None:
            parts = (tensor.dtype.name, _dims(tensor.dims), "e" + _exponents(tensor.exponents))
            lines.append(" ".join((*parts, summary.filter_layout(tensor))).rstrip())
    return "\n".join(lines)


def _tensors_table(title: str, tensors: Sequence[Tensor]) -> Table:
    table = _table(title, "name", "type", "shape", "exponent", "bytes")
    for tensor in tensors:
        size_bytes = str(summary.stored_bytes(tensor))
        shape, exponents = _dims(tensor.dims), _exponents(tensor.exponents)
        cells = (tensor.name, tensor.dtype.name, shape, exponents, size_bytes)
        table.add_row(*map(_shown, cells))
    return table


def _sizes_table(sizes: summary.Sizes, size_bytes: int) -> Table:
    table = _table("size by kind", "kind", "bytes", "share")
    for kind, part in asdict(sizes).items():
        table.add_row(kind.replace("_", " "), str(part), f"{100 * part / size_bytes:.1f} %")
    table.add_row("total", str(size_bytes), "")
    table.columns[1].justify = table.columns[2].justify = "right"
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _dims(shape: Sequence[int | str] | None) -> str:
    if shape is None:
        return "?"
    return "x".join(str(n) or "?" for n in shape) if shape else "scalar"


def _exponents(exponents: Sequence[int]) -> str:
    """One exponent, or the range of several."""
    if len(exponents) == 1:
        return str(exponents[0])
    return f"{min(exponents)}..{max(exponents)} ({len(exponents)})" if exponents else "-"


def _shown(text: str) -> Text:
    """Text from a file, without markup and control characters that would reach the terminal."""
    return Text(
        "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
    )
