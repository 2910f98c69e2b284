"""One wrong bit in what a node computed: the check must name that node, at the price of one tensor.

``python -m tests.endurance.localise --trials 300`` seeds faults into the runner's engine and lets
the product's own check find them. The law of this file: the node that the check names first is
compared with the node that was hurt; every tensor that it fetches is counted.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from espdl_hil.boards.session import BoardSession
from espdl_hil.checking import Checker, PreparedModel
from espdl_hil.results.records import CheckRecord
from espdl_hil.runs import RunRequest, RunResult
from espdl_hil.targets import target_named
from tests.endurance.lines import runner_session
from tests.endurance.progress import Reporter
from tests.support import golden

MODELS = (
    "human_face_detect/models/s3/human_face_detect_msr_s8_v1",
    "human_face_detect/models/p4/human_face_detect_mnp_s8_v1",
    "hand_detect/models/p4/espdet_pico_224_224_hand",
)
"""Detectors of two families of kernels; the third has branches, Concat, Split and Resize."""


@dataclass
class Counting:
    """A session that counts what is fetched on top of the outputs.

    Attributes:
        session: does the work.
        fetched: tensors captured.
    """

    session: BoardSession
    fetched: int = 0

    def run(self, request: RunRequest, deadline_s: float | None = None) -> RunResult:
        """Run as the session does."""
        self.fetched += len(request.capture)
        return self.session.run(request, deadline_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


@dataclass
class Tally:
    """What became of the trials with one model.

    Attributes:
        name: of the model, with its target.
        nodes: of the model.
        hurt: nodes that had a wrong bit at least once.
        trials: checks with one fault each.
        localised: those that named exactly the node, its value, and the one wrong element.
        fetched: the most tensors that one check fetched.
        seconds: of all.
        findings: the others.
    """

    name: str
    nodes: int
    hurt: set[int] = field(default_factory=set)
    trials: int = 0
    localised: int = 0
    fetched: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


def prepared(path: str) -> PreparedModel:
    """A zoo model with one input set: the file's own, else a random one."""
    (case,) = (case for case in golden.cases("zoo") if str(case.path).endswith(f"{path}.espdl"))
    taken = Checker().take(case.path, target_named(case.target), vectors=1)
    return replace(taken, vectors=taken.vectors[:1])


def trial(model: PreparedModel, flash: Path, node: int, bit: int, tally: Tally) -> None:
    """Check the model on a board whose ``node`` computes one bit wrong."""
    with runner_session(model.target.name, flash, f"flip-output:{node}:{bit}") as session:
        counting = Counting(session)
        record = Checker().check(model, session.board, cast(BoardSession, counting))
    tally.trials += 1
    tally.hurt.add(node)
    tally.fetched = max(tally.fetched, counting.fetched)
    wrong = _misses(model, node, bit, record)
    if counting.fetched > 1:
        wrong = f"{counting.fetched} tensors were fetched"
    if wrong:
        tally.findings.append(f"{tally.name}: node {node} ({bit=}): {wrong}")
    else:
        tally.localised += 1


def _misses(model: PreparedModel, node: int, bit: int, record: CheckRecord) -> str:
    """How the check's first finding misses the fault; empty where it does not."""
    found = record.difference
    hurt = model.model.nodes[node]
    if record.passed or found is None:
        return "was not noticed"
    if (found.index, found.node, found.value) != (node, hurt.name, hurt.outputs[0]):
        return f"the check names node {found.index} {found.node!r}, value {found.value!r}"
    array = model.simulator.run(model.vectors[0].inputs, keep="all")[found.value]
    element = bit % (8 * array.nbytes) // (8 * array.itemsize)
    place = tuple(int(at) for at in np.unravel_index(element, array.shape))
    if (found.mismatches, found.coordinates) != (1, (place,)):
        return f"the check names {found.mismatches} elements, first {found.coordinates}"
    return ""


def localise(path: str, trials: int, seed: int, reporter: Reporter) -> Tally:
    """Hurt random nodes of one model, each about equally often."""
    begin = time.monotonic()
    model = prepared(path)
    rng = random.Random(seed)
    tally = Tally(f"{model.name} on {model.target.name}", len(model.model.nodes))
    with tempfile.TemporaryDirectory() as folder:
        order: list[int] = []
        for _ in reporter.steps(tally.name, trials):
            if not order:
                order = rng.sample(range(tally.nodes), tally.nodes)
            trial(model, Path(folder) / "flash.bin", order.pop(), rng.getrandbits(31), tally)
    tally.seconds = time.monotonic() - begin
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=300, help="of all models together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    reporter = Reporter()
    shares = [len(part) for part in np.array_split(range(options.trials), len(MODELS))]
    tallies = [
        localise(path, share, options.seed, reporter)
        for path, share in zip(MODELS, shares, strict=True)
    ]
    for tally in tallies:
        for finding in tally.findings:
            reporter.say(f"MISSED {finding}")
    head = ("model", "nodes", "hurt", "trials", "localised", "most tensors fetched", "seconds")
    rows = [
        (t.name, t.nodes, len(t.hurt), t.trials, t.localised, t.fetched, f"{t.seconds:.0f}")
        for t in tallies
    ]
    reporter.table("One wrong bit, localised", head, rows)
    return 0 if all(tally.localised == tally.trials for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
