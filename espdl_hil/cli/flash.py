"""``espdl-hil flash BOARD``: write the runner to boards, where they do not have it yet."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path

from espdl_hil.boards.firmware import read_bundle
from espdl_hil.boards.firmware_cache import cache_folder, keep_bundle, kept_bundle
from espdl_hil.boards.flash_plan import FlashPolicy
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import open_session
from espdl_hil.cli._bench import add_inventory_option, ending_cleanly, inventory_of, progress_for

HELP = "write the runner to a board, where it does not have it yet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("board", metavar="BOARD", help="NAME, TARGET, TAG or all; comma lists")
    parser.add_argument(
        "--firmware",
        type=Path,
        metavar="BUNDLE",
        help="folder or zip (default: the entry's, else the one flashed last for this target; for "
        "virtual boards, built from the sources)",
    )
    parser.add_argument("--force", action="store_true", help="write it even if it is there already")
    parser.add_argument("--json", action="store_true", help="describe what was done as JSON")
    add_inventory_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Flash each board in turn; 0 when all of them answer with the firmware wanted."""
    boards = inventory_of(arguments).select([arguments.board])
    policy = FlashPolicy.ALWAYS if arguments.force else FlashPolicy.IF_NEEDED
    done = []
    with ending_cleanly():
        for board in boards:
            start = time.monotonic()
            progress = progress_for(board, quiet=arguments.json)
            firmware = _firmware_for(board, arguments.firmware, cache_folder())
            with open_session(board, firmware=firmware, flash=policy, progress=progress) as session:
                identity, flashed = session.identity, session.flashed
            if arguments.firmware is not None and not board.virtual:
                _keep(arguments.firmware)
            row = {
                "board": board.name,
                "target": identity.target,
                "virtual": identity.virtual,
                "flashed": flashed,
                "firmware_sha256": identity.firmware_sha256,
                "firmware_version": identity.firmware_version,
                "mac": identity.mac,
                "elapsed_s": round(time.monotonic() - start, 3),
            }
            done.append(row)
            if not arguments.json:
                what = "flashed" if flashed else "already there, nothing written"
                kind = "virtual " if identity.virtual else ""
                print(
                    f"{board.name} ({kind}{identity.target}, {identity.mac}): firmware "
                    f"{identity.firmware_version} {identity.firmware_sha256[:12]}, {what}"
                )
    if arguments.json:
        print(json.dumps(done, indent=2))
    return 0


def _firmware_for(board: Board, given: Path | None, cache: Path) -> Path | None:
    """Return the bundle to flash; ``None`` leaves it to the session."""
    if given is not None or board.virtual or board.flash.firmware is not None:
        return given
    return kept_bundle(board.target.name, cache)


def _keep(firmware: Path) -> None:
    """Remember a bundle that a board runs; that it cannot be kept spoils nothing."""
    with contextlib.suppress(OSError):
        keep_bundle(read_bundle(firmware), cache_folder())
