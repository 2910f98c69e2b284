"""``espdl-hil virtual``: start virtual boards, and build the firmware that they boot."""

from __future__ import annotations

import argparse
import contextlib
import json
import selectors
import signal
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

from espdl_hil.errors import BoardError
from espdl_hil.virtual.bundle import ensure_bundle
from espdl_hil.virtual.chips import VIRTUAL_CHIPS
from espdl_hil.virtual.cpu import Cpu
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec

HELP = "start virtual boards, build their firmware"

_CHIPS = [chip.name for chip in VIRTUAL_CHIPS]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the two actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    start = actions.add_parser(
        "start", help="run boards until Ctrl-C", description="Run virtual boards until Ctrl-C."
    )
    start.add_argument("targets", nargs="+", choices=_CHIPS, metavar="TARGET")
    start.add_argument(
        "--state", type=Path, help="folder of the boards' folders (flash, MAC address, port link)"
    )
    _add_cpu(start)
    start.add_argument("--port", default="pty", help="pty (default) or rfc2217")
    start.add_argument("--json", action="store_true", help="one JSON line per board")
    start.add_argument("--baud-limit", type=int, metavar="N", help="simulated line rate")
    start.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:ARG]",
        help="damage on the line (drop:P, flip:P, delay:MS, cut:N, silence:N; with -up or -down "
        "after the kind for one direction) or in the firmware (see docs/virtual-boards.md)",
    )
    start.add_argument("--seed", type=int, default=0, help="of random damage")
    start.add_argument("--verbose", action="store_true", help="log resets")
    firmware = actions.add_parser(
        "firmware",
        help="build a firmware bundle",
        description="Build the firmware bundle that a virtual board boots.",
    )
    firmware.add_argument("target", choices=_CHIPS, metavar="TARGET")
    firmware.add_argument("-o", "--output", type=Path, help="folder for bundles; default: a cache")
    _add_cpu(firmware)


def _add_cpu(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cpu",
        choices=[cpu.value for cpu in Cpu],
        default=Cpu.HOST.value,
        help="host (default), or rv32: RV32IMAFC in QEMU, whose latencies count instructions",
    )


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    if arguments.action == "firmware":
        folder = arguments.output or user_cache_path("espdl-hil") / "firmware"
        print(ensure_bundle(arguments.target, folder, cpu=Cpu(arguments.cpu)))
        return 0
    return _start(arguments)


def _start(arguments: argparse.Namespace) -> int:
    """Run boards until Ctrl-C or SIGTERM, which are the ordinary end here, whenever they come."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
            _wait_for_end([stack.enter_context(board) for board in _boards(arguments)])
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _boards(arguments: argparse.Namespace) -> Iterator[VirtualBoard]:
    root = arguments.state or user_state_path("espdl-hil") / "virtual"
    for name, target in _named(arguments.targets):
        spec = VirtualBoardSpec(
            chip=target,
            state=root / name,
            port=arguments.port,
            faults=tuple(arguments.fault),
            seed=arguments.seed,
            baud_limit=arguments.baud_limit,
            verbose=arguments.verbose,
            cpu=Cpu(arguments.cpu),
        )
        board = VirtualBoard(spec)
        yield board
        values = {"name": name, "target": target, "port": board.port, "pid": board.pid}
        line = json.dumps(values) if arguments.json else f"{name}: {board.port}"
        print(line, flush=True)


def _named(targets: list[str]) -> list[tuple[str, str]]:
    """Name boards by target; the second one of a target gets ``-2``, and so on."""
    names = []
    for index, target in enumerate(targets):
        earlier = targets[:index].count(target)
        names.append((f"{target}-{earlier + 1}" if earlier else target, target))
    return names


def _wait_for_end(boards: list[VirtualBoard]) -> None:
    """Wait for what should not happen.

    Raises:
        BoardError: a board ended by itself.
    """
    with selectors.DefaultSelector() as selector:
        for board in boards:
            assert board.process.stdout is not None
            selector.register(board.process.stdout, selectors.EVENT_READ, board)
        # After its announcement a board says nothing more, so readable means ended.
        ended: VirtualBoard = selector.select()[0][0].data
    raise BoardError(
        f"the virtual board ended by itself (code {ended.process.wait()})",
        board=ended.spec.state.name,
        port=ended.port,
    )
