"""One virtual board as a process: ``python -m espdl_hil.virtual --chip esp32s3 --state DIR``.

The law of this file: it ends, and leaves nothing behind, on SIGTERM, on Ctrl-C, and when the pipe
on its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from espdl_hil.errors import BoardError, ConfigError, EspdlHilError
from espdl_hil.virtual.board import Board
from espdl_hil.virtual.chips import VIRTUAL_CHIPS, chip_named
from espdl_hil.virtual.cpu import Cpu
from espdl_hil.virtual.faults import parse_faults
from espdl_hil.virtual.port import Port
from espdl_hil.virtual.pty import PtyPort
from espdl_hil.virtual.rfc2217 import Rfc2217Port
from espdl_hil.virtual.state import BoardState

_PORT = re.compile(r"pty|rfc2217(?::(\d{1,5}))?", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one board until it is told to end; return the exit code."""
    options = _parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(message)s")
    try:
        _serve(options)
    except EspdlHilError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:  # a full disk, a folder that is not ours
        place = "" if error.filename is None else f"{error.filename}: "
        sys.stderr.write(f"{place}{error.strerror or error}; its folder is {options.state}\n")
        return BoardError.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m espdl_hil.virtual", description=__doc__)
    parser.add_argument("--chip", required=True, choices=[chip.name for chip in VIRTUAL_CHIPS])
    parser.add_argument("--state", required=True, type=Path, help="folder that keeps the board")
    parser.add_argument("--cpu", default=Cpu.HOST.value, choices=[cpu.value for cpu in Cpu])
    parser.add_argument("--port", default="pty", help="pty (default) or rfc2217[:TCPPORT]")
    parser.add_argument("--json", action="store_true", help="announce the port as one JSON line")
    parser.add_argument("--mac", help="address to have from now on")
    parser.add_argument("--baud-limit", type=int, help="simulated line rate")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND[:ARG]")
    parser.add_argument("--seed", type=int, default=0, help="of random damage")
    parser.add_argument("--verbose", action="store_true", help="log resets to standard error")
    return parser


def _serve(options: argparse.Namespace) -> None:
    if options.baud_limit is not None and options.baud_limit < 1:
        raise ConfigError(f"{options.baud_limit} is no line rate", key="--baud-limit")
    faults = parse_faults(options.fault, options.seed)
    stop = _stop_descriptor()
    with BoardState(options.state, chip_named(options.chip), options.mac) as state:
        port = _open_port(options.port)
        try:
            board = Board(state, port, faults, options.baud_limit, Cpu(options.cpu))
            if port.boots_on_close:
                state.publish_port(port.name)
            _announce(port.name, state, as_json=options.json)
            board.run(stop, _parent_pipe())
        finally:
            port.close()


def _open_port(text: str) -> Port:
    match = _PORT.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is no kind of port", key="--port", hint="pty, rfc2217[:PORT]")
    return PtyPort() if text == "pty" else Rfc2217Port(int(match[1] or 0))


def _announce(port: str, state: BoardState, *, as_json: bool) -> None:
    unit = state.unit
    values = {
        "port": port,
        "chip": unit.chip.name,
        "pid": os.getpid(),
        "state": str(state.folder),
        "mac": unit.mac_text,
    }
    sys.stdout.write((json.dumps(values) if as_json else port) + "\n")
    sys.stdout.flush()


def _stop_descriptor() -> int:
    """Return a descriptor that becomes readable when a signal asks the process to end."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reader


def _parent_pipe() -> int | None:
    """Return standard input where it is a pipe or socket, so that its end can end the board."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return 0 if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


if __name__ == "__main__":
    sys.exit(main())
