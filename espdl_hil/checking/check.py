"""Run a prepared model's input sets on a board and keep a record of what came out.

The law of this file: it asks, and leaves judging to ``results`` and repairing to ``boards``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from espdl_hil.analysis import board_findings, refuse_errors
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.patience import longest_silence_s
from espdl_hil.boards.session import BoardSession
from espdl_hil.checking.cache import ModelCache
from espdl_hil.checking.following import Follower
from espdl_hil.checking.prepare import PreparedModel, prepare, take
from espdl_hil.checking.vectors import Vector
from espdl_hil.errors import BoardError, StreamLostError
from espdl_hil.ir.freedom import Rule
from espdl_hil.ir.types import Array, Floats
from espdl_hil.lowering import to_real
from espdl_hil.results.judge import Allowance, Verdict, with_captured, without_capture
from espdl_hil.results.records import (
    AccuracyRecord,
    BudgetRecord,
    CheckRecord,
    DifferenceRecord,
    MemoryRecord,
    NodeRecord,
    OpenNodeRecord,
)
from espdl_hil.runs import RunRequest, RunResult
from espdl_hil.suite import SuiteModel
from espdl_hil.targets import Target

RUN_DEADLINE_S = 600.0
"""For one input set, the upload of the model included: 3 MB over a slow UART take five minutes."""


class Checker:
    """Prepares models, each once per target, and checks them on boards."""

    def __init__(
        self, cache: ModelCache | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep quantized models in ``cache``; ``clock`` gives seconds."""
        self._cache = ModelCache() if cache is None else cache
        self._clock = clock
        self._prepared: dict[tuple[SuiteModel, str], PreparedModel] = {}

    def prepare(self, entry: SuiteModel, target: Target) -> PreparedModel:
        """A suite's model made ready for ``target``; see ``prepare.prepare`` for errors."""
        key = (entry, target.name)
        if key not in self._prepared:
            self._prepared[key] = prepare(entry, target, self._cache)
        return self._prepared[key]

    def take(
        self,
        path: Path,
        target: Target,
        *,
        inputs: Mapping[str, Array] | None = None,
        vectors: int = 2,
        sequence: bool = False,
        member: str | None = None,
        key: bytes | None = None,
        preflight: bool = True,
    ) -> PreparedModel:
        """An ``.espdl`` file as it is; see ``prepare.take`` for arguments and errors."""
        return take(
            path,
            target,
            inputs,
            vectors,
            sequence=sequence,
            member=member,
            key=key,
            preflight=preflight,
        )

    def check(self, prepared: PreparedModel, board: Board, session: BoardSession) -> CheckRecord:
        """Run every input set and judge it; the first difference is fetched element by element.

        Raises:
            BoardError: the bench failed before all input sets were judged.
            ModelError: the board cannot run the model, by what it says of itself: nothing is
                sent then. Or the simulator refuses the model or an input.
        """
        start = self._clock()
        if prepared.preflight:
            refuse_errors(
                board_findings(prepared.model, len(prepared.data), session.identity, board.engine)
            )
        walk = _Walk(prepared, session, Follower(prepared.model, prepared.simulator))
        for vector in prepared.vectors:
            walk.visit(vector)
        if prepared.evaluation is not None:
            walk.begin_stream()
            for vector in prepared.evaluation.samples.vectors:
                walk.visit(vector, scored=True)
        return _record(walk, board, self._clock() - start)


@dataclass(slots=True)
class _Walk:
    """What has come out so far."""

    prepared: PreparedModel
    session: BoardSession
    follower: Follower
    rules: Mapping[str, Rule] | None = None
    allowances: tuple[Allowance, ...] = ()
    first_run: RunResult | None = None
    first_difference: Verdict | None = None
    vectors: int = 0
    equal: int = 0
    nodes: int = 0
    max_lsb: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    retries: int = 0
    uploaded: bool = False
    simulated: list[Floats] = field(default_factory=list)
    measured: list[Floats] = field(default_factory=list)
    steps: list[Vector] = field(default_factory=list)  # of the stream in hand, already visited

    def begin_stream(self) -> None:
        """Let the next input set start from a fresh state."""
        self.steps.clear()

    def visit(self, vector: Vector, *, scored: bool = False) -> None:
        """Run one input set, judge it, and keep its first output where it is to be scored."""
        prepared = self.prepared
        if not self.steps:
            prepared.simulator.reset()
        simulated = self.follower.simulate(vector.inputs)
        first = self.first_run is None
        run = self._step(
            vector,
            warmup=prepared.warmup if first else 0,
            repeat=prepared.repeat if first else 1,
        )
        if self.first_run is None:
            self.first_run = run
        verdict = self.follower.verdict(
            run,
            self._rules(run),
            lambda names: self._replay(vector, capture=names).captured,
            vector=vector.name,
        )
        self.allowances += verdict.allowances
        self.vectors += 1
        self.equal += verdict.equal
        self.nodes = max(self.nodes, verdict.nodes)
        self.max_lsb = max(self.max_lsb, verdict.max_lsb)
        if not verdict.equal and self.first_difference is None:
            self.first_difference = self._detailed(verdict, vector)
        if scored:
            output = prepared.model.outputs[0]
            self.simulated.append(to_real(prepared.model, output, simulated[output]))
            self.measured.append(to_real(prepared.model, output, run.outputs[output]))
        if prepared.sequence:
            self.steps.append(vector)

    def _rules(self, run: RunResult) -> Mapping[str, Rule]:
        """What may differ on the engine that answered."""
        if self.rules is None:
            self.rules = self.prepared.simulator.rules(run.engine)
        return self.rules

    def _detailed(self, verdict: Verdict, vector: Vector) -> Verdict:
        """The verdict with the elements of its first differing node, from a second run."""
        if verdict.first is None or verdict.first.comparison is not None:
            return verdict
        try:
            run = self._replay(vector, capture=(verdict.first.value,))
        except BoardError as error:
            return without_capture(verdict, str(error))
        return with_captured(verdict, self.follower.expected, run.captured, self.rules or {})

    def _step(self, vector: Vector, *, warmup: int, repeat: int) -> RunResult:
        """Run the next input set; a stream that the board forgot is played to it again."""
        if not self.steps:
            return self._run(vector, warmup=warmup, repeat=repeat)
        try:
            return self._run(vector, keep_state=True)
        except StreamLostError:
            return self._replay(vector)

    def _replay(self, vector: Vector, *, capture: tuple[str, ...] = ()) -> RunResult:
        """Run the stream from its first step to ``vector``, which leaves the board after it."""
        for index, step in enumerate(self.steps):
            self._run(step, keep_state=index > 0)
        return self._run(vector, capture=capture, keep_state=bool(self.steps))

    def _run(
        self,
        vector: Vector,
        *,
        capture: tuple[str, ...] = (),
        warmup: int = 0,
        repeat: int = 1,
        keep_state: bool = False,
    ) -> RunResult:
        request = RunRequest(
            model=self.prepared.data,
            inputs=vector.inputs or {},
            capture=capture,
            warmup=warmup,
            repeat=repeat,
            keep_state=keep_state,
            silence_s=longest_silence_s(self.prepared.model),
        )
        run = self.session.run(request, deadline_s=RUN_DEADLINE_S)
        self.bytes_up += run.link.bytes_up
        self.bytes_down += run.link.bytes_down
        self.retries += run.link.retries
        self.uploaded |= run.link.model_uploaded
        if run.model_sha256 != self.prepared.model_sha256:
            raise BoardError(
                f"a stale model ran: {run.model_sha256[:12]} instead of "
                f"{self.prepared.model_sha256[:12]}",
                board=run.board.mac,
                hint="erase the board's model store",
            )
        return run


def finding(record: CheckRecord) -> str:
    """What is wrong, for people: the first difference and every broken budget."""
    label = "virtual " if record.virtual else ""
    lines = [f"{record.model} on {record.board} ({label}{record.target}, {record.engine}):"]
    if record.difference is not None:
        lines.append(
            f"{record.vectors - record.vectors_equal} of {record.vectors} input sets differ from "
            "the simulator"
        )
        lines.append(record.difference.text)
    lines += [
        f"budget {budget.name}: {budget.measured:g}, allowed {budget.limit:g}"
        for budget in record.budgets
        if not budget.kept
    ]
    lines.append(
        f"model {record.model_sha256[:16]}, firmware {record.firmware_sha256[:16]} "
        f"({record.firmware_version}), seed {record.seed}"
    )
    return "\n".join(lines)


def _record(walk: _Walk, board: Board, seconds: float) -> CheckRecord:
    prepared, run = walk.prepared, walk.first_run
    if run is None:
        raise BoardError("the suite gives no input set to run", board=board.name)
    accuracy = _accuracy(walk)
    identity = run.board
    return CheckRecord(
        model=prepared.name,
        board=board.name,
        target=prepared.target.name,
        virtual=identity.virtual,
        bits=prepared.bits,
        calibration=prepared.model.metadata.get("calibration", ""),
        engine=f"{run.engine.value} {identity.version_of(run.engine)}",
        vectors=walk.vectors,
        vectors_equal=walk.equal,
        nodes=walk.nodes,
        max_lsb=walk.max_lsb,
        difference=_difference(walk.first_difference),
        accuracy=accuracy,
        budgets=_budgets(prepared, accuracy, run, identity.virtual),
        latency_us=run.latency_us,
        latency_unit=identity.latency_unit.value,
        cycles=run.cycles,
        temperature_c=run.temperature_c,
        chip_revision=identity.chip_revision,
        reset_reason=identity.reset_reason,
        facts=identity.facts,
        sequence=prepared.sequence,
        open_nodes=_open_nodes(walk),
        node_latencies=tuple(
            NodeRecord(row.node, row.op_type, row.latency_us) for row in run.nodes if row.latency_us
        ),
        memory=tuple(
            MemoryRecord(
                region.name, region.total_bytes, region.free_bytes, region.high_water_bytes
            )
            for region in run.memory
        ),
        bytes_up=walk.bytes_up,
        bytes_down=walk.bytes_down,
        model_uploaded=walk.uploaded,
        flashed=walk.session.flashed,
        retries=walk.retries,
        model_bytes=len(prepared.data),
        model_sha256=prepared.model_sha256,
        source_sha256=prepared.source_sha256,
        firmware_sha256=identity.firmware_sha256,
        firmware_version=identity.firmware_version,
        seed=prepared.seed,
        seconds=seconds,
    )


def _open_nodes(walk: _Walk) -> tuple[OpenNodeRecord, ...]:
    seen: dict[str, list[Allowance]] = {}
    for allowance in walk.allowances:
        seen.setdefault(allowance.comparison.value, []).append(allowance)
    rules = walk.rules or {}
    return tuple(
        OpenNodeRecord(
            node=node.name,
            op_type=node.op_type,
            value=value,
            steps=rules[value].steps,
            relative=rules[value].relative,
            why=rules[value].why,
            source=rules[value].source,
            vectors=len(seen.get(value, ())),
            largest=max((item.comparison.max_error for item in seen.get(value, ())), default=0.0),
        )
        for node in walk.prepared.model.nodes
        for value in node.outputs
        if value in rules
    )


def _difference(verdict: Verdict | None) -> DifferenceRecord | None:
    if verdict is None:
        return None
    first = verdict.first
    comparison = (
        first.comparison if first is not None else next(o for o in verdict.outputs if not o.equal)
    )
    return DifferenceRecord(
        vector=verdict.vector,
        node=first.node if first is not None else "",
        op_type=first.op_type if first is not None else "",
        value=first.value if first is not None else comparison.value if comparison else "",
        index=first.index if first is not None else -1,
        mismatches=comparison.mismatches if comparison is not None else 0,
        size=comparison.size if comparison is not None else 0,
        max_lsb=comparison.max_lsb if comparison is not None else 0,
        coordinates=comparison.first_indices if comparison is not None else (),
        text=str(verdict),
    )


def _accuracy(walk: _Walk) -> AccuracyRecord | None:
    evaluation = walk.prepared.evaluation
    if evaluation is None:
        return None
    labels = evaluation.samples.labels
    return AccuracyRecord(
        metric=evaluation.metric.value,
        samples=len(labels),
        floating=evaluation.floating,
        simulated=evaluation.metric.score(walk.simulated, labels),
        board=evaluation.metric.score(walk.measured, labels),
    )


def _budgets(
    prepared: PreparedModel, accuracy: AccuracyRecord | None, run: RunResult, virtual: bool
) -> tuple[BudgetRecord, ...]:
    found: list[BudgetRecord] = []

    def at_most(name: str, limit: float | None, measured: float) -> None:
        if limit is not None:
            found.append(BudgetRecord(name, limit, measured, measured <= limit))

    budgets, evaluation = prepared.budgets, prepared.evaluation
    at_most("size_bytes", budgets.size_bytes, len(prepared.data))
    if not virtual and run.latency_us:
        at_most("latency_us", budgets.latency_us, sorted(run.latency_us)[len(run.latency_us) // 2])
    if accuracy is not None and evaluation is not None:
        metric, low = evaluation.metric, evaluation.data.low
        at_most(f"{metric.value} at most", evaluation.data.high, accuracy.board)
        if low is not None:
            kept = accuracy.board >= low
            found.append(BudgetRecord(f"{metric.value} at least", low, accuracy.board, kept))
        if accuracy.floating is not None:
            drop = metric.drop(accuracy.floating, accuracy.board)
            at_most("accuracy_drop", budgets.accuracy_drop, drop)
    return tuple(found)
