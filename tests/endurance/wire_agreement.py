"""ESP-DL's integers through the wire: zoo models and golden cases on virtual boards.

``python -m tests.endurance.wire_agreement`` brings every zoo model to a virtual board of its
target, once on this machine's processor and once on emulated RV32IMAFC, and a slice of the golden
cases likewise. The law of this file: what counts is what came back over the line: outputs against
the golden integers, and the digest of every node against those of bytes whose golden hash is known.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import xxhash

from espdl_hil.boards.link import Link
from espdl_hil.errors import EspdlHilError
from espdl_hil.ir.types import Array
from espdl_hil.runs import NodeOutput, RunRequest
from espdl_hil.targets import target_named
from espdl_hil.transport import ProcessTransport
from espdl_hil.wire import Conversation
from tests.endurance.progress import Reporter
from tests.support import golden, rv32
from tests.support.reference_engine import ReferenceEngine, build

STORE_OFFSET, STORE_BYTES = 0x400000, 8 << 20
MEMORY_BYTES = 96 << 20
"""For models on emulated boards: what yolo11n-320 needs, and no chip has."""
CPUS = ("host", "rv32")

Fetch = Callable[[str], Array]
"""The board's elements of one value."""


@dataclass
class Tally:
    """What was compared on boards of one kind.

    Attributes:
        cases: models run.
        vectors: input sets run.
        values: node outputs whose digests were compared.
        floats: float outputs among them that were compared element by element.
        seconds: of all.
        findings: everything that differed or was refused.
    """

    cases: int = 0
    vectors: int = 0
    values: int = 0
    floats: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


@contextmanager
def board(cpu: str, target: str, folder: Path, seed: int = 1) -> Iterator[Conversation]:
    """A conversation with a fresh virtual board."""
    flash = rv32.erased_flash(folder)
    if cpu == "rv32":
        command = rv32.command(target, flash, memory_bytes=MEMORY_BYTES, psram_bytes=MEMORY_BYTES)
    else:
        words = ["--target", target, "--flash", str(flash), "--psram", str(MEMORY_BYTES)]
        words += ["--store-offset", str(STORE_OFFSET), "--store-size", str(STORE_BYTES)]
        command = [str(build("runner", "hil_runner")), *words]
    link = Link(ProcessTransport(command), first_seq=seed)
    try:
        rng = random.Random(seed)
        talk = Conversation(link.perform, lambda: rng.getrandbits(32))
        link.client.window = talk.hello().window
        yield talk
    finally:
        link.close()


def compare(talk: Conversation, case: golden.GoldenCase, vectors: Sequence[str]) -> Tally:
    """Run vectors of a case; its outputs, and for zoo models every node, must be right."""
    begin = time.monotonic()
    tally = Tally(cases=1)
    model = case.path.read_bytes()
    nodes = _Nodes(case, model) if case.suite == "zoo" else None
    for vector in vectors:
        tally.vectors += 1
        place = f"{case.suite} {case.path.stem} {case.target} {vector}"
        try:
            result = talk.run(RunRequest(model, case.inputs(vector), digests=nodes is not None))
        except EspdlHilError as error:
            tally.findings.append(f"{place}: {error}")
            break
        for name, expected in case.outputs(vector).items():
            wrong = golden.difference(result.outputs[name], expected)
            if wrong:
                tally.findings.append(f"{place}: {name}: {wrong}")
        if nodes is not None:

            def fetch(value: str, vector: str = vector) -> Array:
                tally.floats += 1
                again = RunRequest(model, case.inputs(vector), capture=(value,))
                return talk.run(again).captured[value]

            wrong_nodes = nodes.differences(vector, result.nodes, fetch)
            tally.findings += [f"{place}: {text}" for text in wrong_nodes]
            tally.values += len(result.nodes)
    tally.seconds = time.monotonic() - begin
    return tally


class _Nodes:
    """The digests that a zoo model's nodes must have on the wire.

    Golden data has SHA-256 of each node's bytes, the wire XXH64: bytes of the right SHA-256 come
    from the host's own engine, and their XXH64 is what the board must send. Floats have the
    freedom of their last bits, since C libraries differ: where a digest does, elements are fetched.
    """

    def __init__(self, case: golden.GoldenCase, model: bytes) -> None:
        self._case = case
        self._engine = ReferenceEngine(model, target_named(case.target))

    def differences(self, vector: str, rows: Sequence[NodeOutput], fetch: Fetch) -> Iterator[str]:
        self._engine.reset()
        nodes = self._engine.run_nodes(self._case.inputs(vector))
        entries = self._case.digests(vector)
        if not len(rows) == len(nodes) == len(entries):
            yield f"{len(rows)} rows, {len(entries)} node outputs"
            return
        for row, node, entry in zip(rows, nodes, entries, strict=True):
            data = node.array.tobytes()
            floats = node.array.dtype.kind == "f"
            if not floats and hashlib.sha256(data).hexdigest() != entry["sha256"]:
                yield f"node {entry['node']}: the host's engine differs from golden"
            if row.digest == xxhash.xxh64(data, seed=0).hexdigest():
                continue
            wrong = golden.difference(fetch(row.value), node.array) if floats else "another digest"
            if wrong:
                yield f"node {entry['node']} ({entry['op']}): {wrong}"


def zoo_cases(name: str = "") -> list[golden.GoldenCase]:
    """The zoo, the smallest model first; those whose path holds ``name``."""
    found = [case for case in golden.cases("zoo") if name in str(case.path)]
    return sorted(found, key=lambda case: (case.path.stat().st_size, str(case.path)))


def slice_cases(per_operator: int) -> list[golden.GoldenCase]:
    """The smallest cases of every operator of every suite."""
    found: list[golden.GoldenCase] = []
    for suite in golden.SUITES:
        cases = sorted(
            golden.cases(suite), key=lambda case: (case.op, case.path.stat().st_size, case.name)
        )
        for _, group in groupby(cases, key=lambda case: case.op):
            found += list(group)[:per_operator]
    return found


def run_cases(
    cpu: str, cases: Sequence[golden.GoldenCase], most_vectors: int, reporter: Reporter, name: str
) -> dict[str, Tally]:
    """Run cases on one board for each of their targets; return the tallies by target."""
    tallies: dict[str, Tally] = {}
    by_target: dict[str, list[golden.GoldenCase]] = {}
    for case in cases:
        by_target.setdefault(target_named(case.target).name, []).append(case)
    for target, group in sorted(by_target.items()):
        total = tallies.setdefault(target, Tally())
        with tempfile.TemporaryDirectory() as folder, board(cpu, target, Path(folder)) as talk:
            for index in reporter.steps(f"{name} {cpu} {target}", len(group)):
                found = compare(talk, group[index], group[index].vectors[:most_vectors])
                for finding in found.findings:
                    reporter.say(f"DIFFERS {finding}")
                if found.seconds > 20:
                    reporter.say(
                        f"{name} {cpu} {group[index].path.stem} {target}: {found.seconds:.0f} s"
                    )
                _add(total, found)
    return tallies


def _add(total: Tally, found: Tally) -> None:
    total.cases += found.cases
    total.vectors += found.vectors
    total.values += found.values
    total.floats += found.floats
    total.seconds += found.seconds
    total.findings += found.findings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cpu", choices=CPUS, action="append", help="default: both")
    parser.add_argument("--zoo", default="", metavar="TEXT", help="models whose path holds TEXT")
    parser.add_argument("--vectors", type=int, default=99, help="of each zoo model, at most")
    parser.add_argument("--slice", type=int, default=1, help="golden cases of each operator")
    options = parser.parse_args(arguments)
    reporter = Reporter()
    rows: list[tuple[object, ...]] = []
    findings: list[str] = []
    for cpu in options.cpu or CPUS:
        for name, cases, vectors in (
            ("golden", slice_cases(options.slice), 99),
            ("zoo", zoo_cases(options.zoo), options.vectors),
        ):
            if not cases:
                continue
            for target, tally in run_cases(cpu, cases, vectors, reporter, name).items():
                rows.append(
                    (
                        f"{name} on {target}, {cpu}",
                        tally.cases,
                        tally.vectors,
                        tally.values,
                        tally.floats,
                        len(tally.findings),
                        f"{tally.seconds:.0f}",
                    )
                )
                findings += tally.findings
    head = (
        "boards",
        "models",
        "vectors",
        "node outputs",
        "floats fetched",
        "differences",
        "seconds",
    )
    reporter.table("Agreement through the wire", head, rows)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
