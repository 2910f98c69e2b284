"""``espdl-hil boards``: what the inventory says, what is plugged in, and who uses it."""

from __future__ import annotations

import argparse
import json

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from espdl_hil.boards.discovery import Finding, find_board, port_kind, unclaimed
from espdl_hil.boards.line import line_of
from espdl_hil.boards.locks import BoardLock, Holder
from espdl_hil.cli._bench import add_inventory_option, inventory_of
from espdl_hil.transport import FoundPort, found_ports

HELP = "list boards, their ports and who uses them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_inventory_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the bench; nothing is opened."""
    inventory = inventory_of(arguments)
    ports = found_ports()
    findings = [find_board(board, ports) for board in inventory.boards]
    holders = [
        BoardLock(line_of(finding.board).identity).seen_from_outside() for finding in findings
    ]
    others = unclaimed(findings, ports)
    if arguments.json:
        document = {
            "inventory": None if inventory.file is None else str(inventory.file),
            "boards": [
                _board_entry(finding, holder)
                for finding, holder in zip(findings, holders, strict=True)
            ],
            "other_ports": [_port_entry(port) for port in others],
        }
        print(json.dumps(document, indent=2))
        return 0
    source = "built-in inventory" if inventory.file is None else str(inventory.file)
    table = Table(title=source, box=SIMPLE, title_justify="left")
    for title in ("board", "target", "kind", "port", "state", "tags"):
        table.add_column(title)
    for finding, holder in zip(findings, holders, strict=True):
        board = finding.board
        state = f"in use by {holder}" if holder else finding.access.value
        kind = "virtual" if board.virtual else "physical"
        cells = (board.name, board.target.name, kind, finding.port, state, ", ".join(board.tags))
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    console.print(table)
    for port in others:
        problem = f" ({port.problem})" if port.problem else ""
        serial_number = f", serial number {port.serial_number}" if port.serial_number else ""
        text = f"not in the inventory: {port.device}, {port_kind(port)}{serial_number}{problem}"
        console.print(Text(text))
    return 0


def _board_entry(finding: Finding, holder: Holder | None) -> dict[str, object]:
    board = finding.board
    return {
        "name": board.name,
        "target": board.target.name,
        "virtual": board.virtual,
        "tags": list(board.tags),
        "port": finding.port,
        "access": finding.access.value,
        "in_use_by": None
        if holder is None
        else {
            "pid": holder.pid,
            "user": holder.user,
            "host": holder.host,
            "since": holder.since,
            "command": holder.command,
        },
    }


def _port_entry(port: FoundPort) -> dict[str, object]:
    return {
        "device": port.device,
        "kind": port_kind(port),
        "serial_number": port.serial_number,
        "location": port.location,
        "problem": port.problem,
    }
