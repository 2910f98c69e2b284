"""``python -m tests.peer``: our exports against esp-ppq's, or the page of differences.

Ends with 1 where a difference has no entry in the table or, unless ``--only``, ``--targets`` or
``--bits`` choose, an entry no difference.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.peer.agreement import Met, compared
from tests.peer.cases import PROJECT, Case, cases
from tests.peer.exports import BITS, TARGETS, Export, exports, version
from tests.peer.judged import verdict
from tests.peer.table import JUDGEMENTS

_SHOWN = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare everything, or what ``--only`` names; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.peer", description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter with esp-ppq")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build" / "peer")
    parser.add_argument("--shared", type=Path, default=_shared(), help="where bench/ lies")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", default=[], help="cases")
    parser.add_argument("--targets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--bits", nargs="*", type=int, default=list(BITS), choices=list(BITS))
    given = parser.parse_args(arguments)
    began = time.monotonic()
    chosen = [case for case in cases(given.shared) if not given.only or case.name in given.only]
    which = [(target, bits) for target in given.targets for bits in given.bits]
    theirs = exports(chosen, which, given.python, given.folder.resolve(), given.workers)
    exported = time.monotonic() - began
    pairs = [(case, export) for case in chosen for export in theirs[case.name]]
    met = _compared(pairs, given.workers)
    result = verdict(met, JUDGEMENTS, [case.name for case in chosen])
    for item in result.unjudged[:_SHOWN]:
        print(f"not judged: {item}")
    # A part of the files cannot say that an entry is not met.
    everything = not given.only and len(which) == len(TARGETS) * len(BITS)
    stale = result.stale if everything else []
    for text in stale:
        print(f"stale: {text}")
    refused = sum(bool(export.refused) for _, export in pairs)
    print(
        f"esp-ppq, torch {version(given.python)}: {len(pairs)} files of {len(chosen)} models"
        f" ({refused} that the peer refuses), {result.judged} differences judged,"
        f" {len(result.unjudged)} not, {len(stale) if everything else '?'} entries stale;"
        f" {exported:.0f} s to export, {time.monotonic() - began - exported:.0f} s to compare"
    )
    return 1 if result.unjudged or stale else 0


def _shared() -> Path:
    return Path(os.environ.get("ESPDL_HIL_SHARED", PROJECT.parent / "shared"))


def _compared(pairs: list[tuple[Case, Export]], workers: int) -> list[Met]:
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return [met for found in pool.imap(_one, pairs, chunksize=6) for met in found]


def _one(pair: tuple[Case, Export]) -> list[Met]:
    return list(compared(*pair))


if __name__ == "__main__":
    sys.exit(main())
