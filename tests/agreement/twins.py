"""Simulator and C engine on the same random models: counting executions, naming differences.

``python -m tests.agreement.twins --executions 200000`` is the nightly run; the test suite runs a
slice with a fixed seed. The two implementations share no code, so agreement is evidence.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from espdl_hil.errors import EspdlHilError
from espdl_hil.espdl import write
from espdl_hil.ir.types import Array
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Target, target_named
from tests.support.random_models import FAMILIES, FLOAT, Family, RandomModel, mutated
from tests.support.reference_engine import ReferenceEngine

KERNEL_FAMILIES = ("esp32", "esp32s3", "esp32p4")
FLOAT_TOLERANCE = 2e-5
_MUTANT = 0x6D757461  # so that a change does not repeat the dice of its model

Key = tuple[str, str, int]
"""Operator, target, width (``FLOAT`` for float32)."""

Outcome = list[dict[str, Array]]
"""The graph outputs of each run."""


@dataclass
class Tally:
    """How often each operator ran, and what differed.

    Attributes:
        executions: nodes that both executed.
        refused: nodes that both refuse: what a kernel computes wrongly.
        findings: disagreements, each with the seed that makes its model.
    """

    executions: Counter[Key] = field(default_factory=Counter)
    refused: Counter[Key] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what another tally counted."""
        self.executions += other.executions
        self.refused += other.refused
        self.findings += other.findings


def _differences(expected: Array, got: Array) -> str:
    """What differs between two outputs; empty where nothing does."""
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return f"{expected.dtype}{expected.shape} against {got.dtype}{got.shape}"
    if expected.dtype.kind == "f":
        near = np.isclose(expected, got, rtol=FLOAT_TOLERANCE, atol=FLOAT_TOLERANCE, equal_nan=True)
        wrong = ~near
    else:
        wrong = expected != got
    if not wrong.any():
        return ""
    first = tuple(int(n) for n in np.argwhere(wrong)[0])
    return (
        f"{int(wrong.sum())} of {wrong.size} elements differ, first at {first}: "
        f"{expected[first]} against {got[first]}"
    )


def _outcome(run: Simulator | ReferenceEngine, case: RandomModel) -> Outcome:
    """Outputs of the first run and of those after it."""
    found = []
    for inputs in (case.inputs, *case.further):
        values = run.run(inputs)
        found.append({name: values[name] for name in case.model.outputs})
    return found


def compare_one(case: RandomModel, target: Target, tally: Tally, seed: str) -> None:
    """Run one model on both; both must refuse it, or both give the same integers."""
    key = (case.op_type, target.name, case.bits)
    refusals: dict[str, str] = {}
    results: dict[str, Outcome] = {}
    for name in ("simulator", "C engine"):
        try:
            if name == "simulator":
                results[name] = _outcome(Simulator(case.model, target), case)
            else:
                results[name] = _outcome(ReferenceEngine(write(case.model), target), case)
        except EspdlHilError as error:
            refusals[name] = str(error)
        except Exception as error:
            refusals[name] = f"crash: {error!r}"
            tally.findings.append(f"{key} {seed}: {name} crashes: {error!r}")
    if len(refusals) == 2:
        tally.refused[key] += 1
        return
    tally.executions[key] += 1 + len(case.further)
    if refusals:
        tally.findings.append(f"{key} {seed}: only one refuses: {refusals}")
        return
    for run, (left, right) in enumerate(zip(*results.values(), strict=True)):
        for name, expected in left.items():
            wrong = _differences(expected, right[name])
            if wrong:
                tally.findings.append(f"{key} {seed} run {run} {name}: {wrong}")
                return


def agree(seed: int, rounds: int, families: Sequence[Family] = FAMILIES) -> Tally:
    """Run ``rounds`` random models of every family, target and width, half of them changed too.

    A model's numbers follow from ``(seed, family's name, target, width, index)`` alone, so that a
    finding stays reproducible when families are added.
    """
    tally = Tally()
    for family in families:
        for target_index, name in enumerate(KERNEL_FAMILIES):
            target = target_named(name)
            for bits in (8, 16):
                for index in range(rounds):
                    path = (seed, target_index, bits, index)
                    case = make(family, path)
                    compare_one(case, target, tally, f"{family.__name__} {path}")
                    if index % 2:
                        changed = mutated(np.random.default_rng((_MUTANT, *path)), case)
                        compare_one(changed, target, tally, f"{family.__name__} {path} mutated")
    return tally


def make(family: Family, path: tuple[int, int, int, int]) -> RandomModel:
    """The model that a finding names: (seed, index of the target, width, number)."""
    _, target_index, bits, _ = path
    letters = int.from_bytes(family.__name__.encode()[:8], "little")
    rng = np.random.default_rng((letters, *path))
    return family(rng, target_named(KERNEL_FAMILIES[target_index]), bits)


def _lines(tally: Tally) -> Iterator[str]:
    for key in sorted({*tally.executions, *tally.refused}):
        op_type, target, bits = key
        width = "float" if bits == FLOAT else f"int{bits}"
        yield (
            f"{op_type:18} {target:8} {width:5} {tally.executions[key]:7} run"
            f" {tally.refused[key]:6} refused by both"
        )
    yield f"{sum(tally.executions.values())} executions, {len(tally.findings)} findings"
    yield from tally.findings


def main() -> int:
    """Run until the wanted number of executions is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", action="append", help="only these families of models")
    parser.add_argument("--report", type=Path, help="write the whole tally here")
    arguments = parser.parse_args()
    families = [
        family for family in FAMILIES if not arguments.family or family.__name__ in arguments.family
    ]
    total = Tally()
    seed = arguments.seed
    while sum(total.executions.values()) < arguments.executions:
        total.add(agree(seed, rounds=20, families=families))
        seed += 1
        print(
            f"{sum(total.executions.values())} executions, {len(total.findings)} findings",
            flush=True,
        )
    text = "\n".join(_lines(total))
    print(text)
    if arguments.report:
        arguments.report.write_text(text + "\n", encoding="utf-8")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
