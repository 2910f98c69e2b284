"""Simulator and C engine on the same random models: counting executions, naming differences.

``python -m tests.agreement.twins --executions 200000`` is the nightly run; the test suite runs a
slice with a fixed seed. The two implementations share no code, so agreement is evidence.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from espdl_hil.errors import EspdlHilError
from espdl_hil.espdl import write
from espdl_hil.ir.types import Array
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Target, target_named
from tests.support.random_models import FAMILIES, RandomModel
from tests.support.reference_engine import ReferenceEngine

KERNEL_FAMILIES = ("esp32", "esp32s3", "esp32p4")
FLOAT_TOLERANCE = 2e-5


@dataclass
class Tally:
    """How often each operator ran, and what differed."""

    executions: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def _differences(expected: Array, got: Array) -> int:
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return max(expected.size, 1)
    if expected.dtype.kind == "f":
        return int(np.sum(~np.isclose(expected, got, rtol=FLOAT_TOLERANCE, atol=FLOAT_TOLERANCE)))
    return int(np.sum(expected != got))


def _outcome(run: Simulator | ReferenceEngine, case: RandomModel) -> Array:
    return run.run(case.inputs)["y"]


def compare_one(case: RandomModel, target: Target, bits: int, tally: Tally, seed: str) -> None:
    """Run one model on both; both must refuse it, or both give the same integers."""
    key = (case.model.nodes[0].op_type, target.name, bits)
    refusals = {}
    results = {}
    for name in ("simulator", "C engine"):
        try:
            if name == "simulator":
                results[name] = _outcome(Simulator(case.model, target), case)
            else:
                results[name] = _outcome(ReferenceEngine(write(case.model), target), case)
        except EspdlHilError as error:
            refusals[name] = str(error)
    if len(refusals) == 2:
        tally.refused[key] += 1
        return
    tally.executions[key] += 1
    if refusals:
        tally.findings.append(f"{key} {seed}: only one refuses: {refusals}")
        return
    wrong = _differences(results["simulator"], results["C engine"])
    if wrong:
        size = results["simulator"].size
        tally.findings.append(f"{key} {seed}: {wrong} of {size} elements differ")


def agree(seed: int, rounds: int) -> Tally:
    """Run ``rounds`` random models of every family, target and width."""
    tally = Tally()
    for family_index, family in enumerate(FAMILIES):
        for target_index, name in enumerate(KERNEL_FAMILIES):
            target = target_named(name)
            for bits in (8, 16):
                for index in range(rounds):
                    path = (seed, family_index, target_index, bits, index)
                    case = family(np.random.default_rng(path), target, bits)
                    compare_one(case, target, bits, tally, f"seed {path}")
    return tally


def _lines(tally: Tally) -> Iterator[str]:
    for key in sorted({*tally.executions, *tally.refused}):
        op_type, target, bits = key
        yield (
            f"{op_type:18} {target:8} int{bits:<2} {tally.executions[key]:7} run"
            f" {tally.refused[key]:6} refused by both"
        )
    yield f"{sum(tally.executions.values())} executions, {len(tally.findings)} findings"
    yield from tally.findings


def main() -> int:
    """Run until the wanted number of executions is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    total = Tally()
    seed = arguments.seed
    while sum(total.executions.values()) < arguments.executions:
        tally = agree(seed, rounds=20)
        total.executions += tally.executions
        total.refused += tally.refused
        total.findings += tally.findings
        seed += 1
        print(f"{sum(total.executions.values())} executions, {len(total.findings)} findings")
    print("\n".join(_lines(total)))
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
