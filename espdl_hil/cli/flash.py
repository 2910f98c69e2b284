"""``espdl-hil flash BOARD``: write the runner to boards, where they do not have it yet."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from espdl_hil.boards.session import FlashPolicy, open_session
from espdl_hil.cli._bench import add_inventory_option, ending_cleanly, inventory_of, progress_for

HELP = "write the runner to a board, where it does not have it yet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("board", metavar="BOARD", help="NAME, TARGET, TAG or all; comma lists")
    parser.add_argument(
        "--firmware",
        type=Path,
        metavar="BUNDLE",
        help="folder or zip (default: the entry's; for virtual boards, built from the sources)",
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
            with open_session(
                board, firmware=arguments.firmware, flash=policy, progress=progress
            ) as session:
                identity, flashed = session.identity, session.flashed
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
