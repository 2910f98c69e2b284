"""What the verbs that use boards share: the inventory option, a clean end, progress."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from espdl_hil.boards.flashing import FlashProgress
from espdl_hil.boards.inventory import Board, Inventory, load_inventory


def add_inventory_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--boards``."""
    parser.add_argument(
        "--boards",
        type=Path,
        metavar="FILE",
        help="the inventory (default: boards.yaml here or above, else the built-in virtual boards)",
    )


def inventory_of(arguments: argparse.Namespace) -> Inventory:
    """The inventory that the arguments mean."""
    return load_inventory(arguments.boards)


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does: ports closed, children gone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = (signal.SIGTERM, signal.SIGHUP)


def progress_for(board: Board, *, quiet: bool) -> Callable[[FlashProgress], None]:
    """A line on standard error that shows how flashing goes, where somebody watches."""
    shown = not quiet and sys.stderr.isatty()

    def show(progress: FlashProgress) -> None:
        if shown:
            percent = round(100 * progress.fraction)
            end = "\n" if progress.fraction >= 1 else ""
            text = f"\rflashing {board.name}: {progress.file} {percent} %"
            print(text, end=end, file=sys.stderr, flush=True)

    return show
