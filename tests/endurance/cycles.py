"""A day of operation, compressed: model, run, reset, with something going wrong most of the time.

``python -m tests.endurance.cycles --cycles 10000 --seed 1`` runs sessions on boards in memory. The
law of this file: whatever is accepted is compared with the simulator, every output, every node's
digest, every captured value; every failure has a type of ours; after each failure the line is
repaired, and the very next run must be right.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from espdl_hil.boards.connection import Caller
from espdl_hil.boards.flash_plan import FlashPlan, FlashPolicy
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import BoardSession
from espdl_hil.errors import BoardError, EngineError, EspdlHilError
from espdl_hil.espdl import write
from espdl_hil.ir.types import Array
from espdl_hil.results.compare import digest_of
from espdl_hil.runs import RunRequest, RunResult
from espdl_hil.simulator import Simulator
from espdl_hil.targets import Target, target_named
from espdl_hil.transport.loopback import ManualClock
from espdl_hil.wire import Counters
from tests.endurance.memory_board import NO_TROUBLE, MemoryBoard, MemoryLine, Trouble
from tests.endurance.progress import Reporter
from tests.support.random_models import FAMILIES, Family

TARGETS = ("esp32", "esp32s3", "esp32p4")
HELLO_S = 5.0
RUN_DEADLINE_S = 120.0
LOCK_UP_S = 2 * RUN_DEADLINE_S + 60.0
"""Of the clock of all deadlines: longer, and a deadline was not kept."""
_MODELS = 14
_LARGEST_MODEL = 60_000


# --- Troubles ------------------------------------------------------------------------------------


def _chance(rng: random.Random, low: float, high: float) -> float:
    """A probability; each order of magnitude is as likely as the next."""
    return float(10 ** rng.uniform(np.log10(low), np.log10(high)))


def _dies(rng: random.Random, *, reboots: bool) -> Trouble:
    return Trouble(dies_after_nodes=rng.randint(1, 12), reboots=reboots)


TROUBLES: Mapping[str, Callable[[random.Random], Trouble]] = {
    "none": lambda rng: NO_TROUBLE,
    "bytes lost": lambda rng: Trouble(drop=_chance(rng, 1e-5, 3e-3)),
    "bits flipped": lambda rng: Trouble(flip=_chance(rng, 1e-5, 3e-3)),
    "answers twice": lambda rng: Trouble(duplicate=rng.uniform(0.05, 0.5)),
    "answers late": lambda rng: Trouble(delay_s=_chance(rng, 0.01, 8.0)),
    "bad cable": lambda rng: Trouble(
        drop=_chance(rng, 1e-5, 1e-3),
        flip=_chance(rng, 1e-5, 1e-3),
        duplicate=rng.uniform(0, 0.3),
        delay_s=_chance(rng, 0.001, 1.0),
    ),
    "hopeless cable": lambda rng: Trouble(drop=rng.uniform(0.05, 0.5)),
    "cable pulled": lambda rng: Trouble(cut_bytes=rng.randint(1, 6000)),
    "line silent": lambda rng: Trouble(silence_bytes=rng.randint(1, 6000)),
    "board restarts": lambda rng: Trouble(restart_bytes=rng.randint(1, 6000)),
    "dies in a node": lambda rng: _dies(rng, reboots=True),
    "hangs in a node": lambda rng: _dies(rng, reboots=False),
    "power fails": lambda rng: Trouble(power_bytes=rng.randint(1, 12000)),
    "wedged": lambda rng: Trouble(power_bytes=rng.randint(1, 12000), reboots=False),
}
BEHIND_THE_BACK = ("nothing", "nothing", "nothing", "board restarted", "flash rots")


# --- What is run ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A model, inputs of the steps of a stream, and every value of each step.

    Attributes:
        data: the file.
        steps: inputs.
        expected: by the simulator, every value of every step.
    """

    name: str
    data: bytes
    steps: tuple[Mapping[str, Array], ...]
    expected: tuple[Mapping[str, Array], ...]


def _job(family: Family, target: Target, seed: Sequence[int]) -> Job | None:
    """A random model with integers only; ``None`` where it is refused, or has floats."""
    rng = np.random.default_rng(seed)
    try:
        case = family(rng, target, int(rng.choice((8, 16))))
        simulator = Simulator(case.model, target)
        steps = (case.inputs, *case.further)
        expected = tuple(dict(simulator.run(step, keep="all")) for step in steps)
    except (EspdlHilError, KeyError, ValueError):
        return None
    arrays = [array for values in expected for array in values.values()]
    data = write(case.model)
    if any(array.dtype.kind == "f" for array in arrays) or len(data) > _LARGEST_MODEL:
        return None
    return Job(family.__name__.strip("_"), data, steps, expected)


def make_jobs(target: Target, seed: int, count: int = _MODELS) -> list[Job]:
    """Jobs of as many families as possible, a large one first, so that uploads have many pieces."""
    rng = random.Random(seed)
    families = rng.sample(FAMILIES, len(FAMILIES))
    drawn = (_job(family, target, (seed, index)) for index, family in enumerate(families))
    found = sorted((job for job in drawn if job is not None), key=lambda job: -len(job.data))
    streams = [job for job in found if len(job.steps) > 1]
    others = [job for job in found if len(job.steps) == 1]
    return (others[:3] + streams[:3] + rng.sample(others[3:], len(others) - 3))[:count]


# --- The bench -----------------------------------------------------------------------------------


@dataclass
class Tally:
    """What came of all cycles.

    Attributes:
        by_trouble: outcomes by the trouble of the cycle: ``right``, or the type of the error.
        accepted: results that were compared.
        recoveries: runs that the session repeated by itself, and then were right.
        retries: frames sent again.
        restarts: boots of all boards.
        seconds: of the boards' clock.
        findings: wrong results, errors of no type of ours, lock-ups, and what did not recover.
    """

    by_trouble: dict[str, Counter[str]] = field(default_factory=dict)
    accepted: int = 0
    recoveries: int = 0
    retries: int = 0
    restarts: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what another tally counted."""
        for trouble, outcomes in other.by_trouble.items():
            self.by_trouble.setdefault(trouble, Counter()).update(outcomes)
        self.accepted += other.accepted
        self.recoveries += other.recoveries
        self.retries += other.retries
        self.restarts += other.restarts
        self.seconds += other.seconds
        self.findings += other.findings


class WrongResultError(AssertionError):
    """A result was accepted and is not what the simulator computes."""


class Bench:
    """One board in memory and whoever works with it.

    Args:
        target: the chip.
        seed: of jobs and troubles.
        tally: to count on.
        rots: whether its flash loses bits while the power is off. What rots under a model that is
            loaded gives wrong numbers, which the digests localise, and is not played here.
    """

    def __init__(self, target: str, seed: int, tally: Tally, *, rots: bool = False) -> None:
        self.rng = random.Random(seed)
        self.clock = ManualClock(1000.0)
        self.board = MemoryBoard(target, self.clock)
        self.line = MemoryLine(self.board, self.clock, self.rng)
        self.jobs = make_jobs(target_named(target), seed)
        self._entry = Board(f"memory-{target}", target_named(target), virtual=True)
        self._session: BoardSession | None = None
        self._tally = tally
        self._rots = rots

    def close(self) -> None:
        """End the session; count what the board went through."""
        self._close_session()
        self._tally.restarts += self.board.restarts
        self._tally.seconds += self.clock() - 1000.0
        if self.board.broke_nor and not self._rots:  # bits that rot look like that too
            self._tally.findings.append("the store wrote over flash that was not erased")

    def cycle(self, number: int) -> None:
        """One model on the board, with a trouble; then, if that failed, once more without."""
        rng = self.rng
        name = rng.choice(list(TROUBLES))
        job = rng.choice(self.jobs)
        place = f"cycle {number} ({name}, {job.name})"
        self._before(rng)
        self.line.suffer(TROUBLES[name](rng))
        begin = self.clock()
        outcome = self._attempt(job, place)
        self._tally.by_trouble.setdefault(name, Counter())[outcome] += 1
        self._note_time(begin, place)
        self.line.suffer(NO_TROUBLE)
        if outcome != "right":
            begin = self.clock()
            again = self._attempt(job, f"{place}, once more")
            if again != "right":
                self._tally.findings.append(f"{place}: {outcome}; on a good line then: {again}")
            self._note_time(begin, place)
        if rng.random() < 0.1:
            self._close_session()

    def _before(self, rng: random.Random) -> None:
        """What may have happened while nobody looked."""
        match rng.choice(BEHIND_THE_BACK):
            case "board restarted":
                self.board.boot("brownout")
            case "flash rots" if self._rots:
                self.board.rot(rng, rng.randint(1, 40))
                self.board.boot("poweron")
            case _:
                pass
        if rng.random() < 0.05 and self._session is not None:
            self.line.suffer(NO_TROUBLE)
            try:
                self._session.erase_models()
            except BoardError as error:
                # The board restarted behind the session's back; the next run finds that out.
                logging.getLogger(__name__).debug("%s", error)

    def _attempt(self, job: Job, place: str) -> str:
        """Run a job; return what came of it in a word or two."""
        try:
            self._run(job)
        except EngineError as error:
            return f"EngineError {error.status}"
        except BoardError as error:
            return type(error).__name__
        except WrongResultError as error:
            self._tally.findings.append(f"{place}: WRONG RESULT ACCEPTED: {error}")
            return "wrong"
        except Exception as error:
            self._tally.findings.append(f"{place}: {error!r}")
            return type(error).__name__
        return "right"

    def _run(self, job: Job) -> None:
        """All steps of a job; each result must be right."""
        session = self._opened()
        values = [name for node in job.expected[:1] for name in node]
        capture = tuple(self.rng.sample(values, min(len(values), self.rng.choice((0, 0, 1, 2)))))
        before = session.recoveries
        for step, (inputs, expected) in enumerate(zip(job.steps, job.expected, strict=True)):
            stream = step > 0
            request = RunRequest(
                model=job.data,
                inputs=inputs,
                capture=tuple(name for name in capture if name not in inputs),
                repeat=1 if stream or len(job.steps) > 1 else self.rng.choice((1, 1, 3)),
                keep_state=stream,
            )
            result = session.run(request, RUN_DEADLINE_S)
            self._tally.accepted += 1
            self._tally.retries += result.link.retries
            _require_right(result, request, expected)
        self._tally.recoveries += session.recoveries - before

    def _opened(self) -> BoardSession:
        if self._session is None:
            rng = random.Random(self.rng.getrandbits(64))
            caller = Caller(self._entry, rng, Counters(), HELLO_S, now=self.clock)
            session = BoardSession(caller, self.line)
            session.open(FlashPlan(policy=FlashPolicy.NEVER), 0.0)
            self._session = session
        return self._session

    def _close_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _note_time(self, begin: float, place: str) -> None:
        if self.clock() - begin > LOCK_UP_S:
            self._tally.findings.append(f"{place}: took {self.clock() - begin:.0f} s")


def _require_right(result: RunResult, request: RunRequest, expected: Mapping[str, Array]) -> None:
    """Compare everything that came back; raise on the first difference."""
    for row in result.nodes:
        if row.digest != digest_of(expected[row.value]):
            raise WrongResultError(f"digest of {row.value}")
    for name, array in {**result.outputs, **result.captured}.items():
        want = expected[name]
        if array.dtype != want.dtype or not np.array_equal(array, want):
            raise WrongResultError(f"elements of {name}")
    if not result.nodes or set(result.captured) != set(request.capture):
        raise WrongResultError("something is missing")
    if len(result.latency_us) != request.repeat:
        raise WrongResultError(f"{len(result.latency_us)} latencies of {request.repeat} runs")


def run(cycles: int, seed: int, steps: Iterator[int] | None = None) -> Tally:
    """Run so many cycles, on boards of all targets in turn."""
    tally = Tally()
    benches = [Bench(target, seed + at, tally, rots=at == 0) for at, target in enumerate(TARGETS)]
    try:
        for number in range(cycles) if steps is None else steps:
            benches[number % len(benches)].cycle(number)
    finally:
        for bench in benches:
            bench.close()
    return tally


def _print(tally: Tally, reporter: Reporter, seconds: float) -> None:
    for finding in tally.findings[:40]:
        reporter.say(f"FINDING {finding}")
    outcomes = sorted({name for counts in tally.by_trouble.values() for name in counts})
    outcomes = ["right", *[name for name in outcomes if name != "right"]]
    rows: list[Sequence[object]] = [
        (trouble, sum(counts.values()), *[counts[name] or "" for name in outcomes])
        for trouble, counts in sorted(tally.by_trouble.items())
    ]
    totals = sum(tally.by_trouble.values(), Counter[str]())
    rows.append(("all", sum(totals.values()), *[totals[name] for name in outcomes]))
    reporter.table("Outcomes by trouble", ("trouble", "cycles", *outcomes), rows)
    figures = (
        ("results accepted and compared", tally.accepted),
        ("frames repeated", tally.retries),
        ("runs repeated by the session", tally.recoveries),
        ("boots of boards", tally.restarts),
        ("hours on the boards' clock", f"{tally.seconds / 3600:.1f}"),
        ("seconds here", f"{seconds:.0f}"),
        ("findings", len(tally.findings)),
    )
    reporter.table("Figures", ("what", "count"), figures)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cycles", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    reporter = Reporter()
    begin = time.monotonic()
    tally = run(options.cycles, options.seed, reporter.steps("cycles", options.cycles))
    _print(tally, reporter, time.monotonic() - begin)
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
