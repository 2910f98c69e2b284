"""What is kept of a check: plain values, written as ``results.json`` and read back equal.

The law of this file: a record holds numbers, strings and other records, no arrays and no objects
of other layers, so that it crosses processes and years. Changing a field's meaning changes
``SCHEMA``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from espdl_hil.errors import ConfigError

SCHEMA = 2
"""Version of ``results.json``; a reader refuses other versions."""

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class DifferenceRecord:
    """The first difference of a check: which vector, node and elements.

    Attributes:
        vector: the first input set with a difference.
        node: first differing node; empty where every integer node output was equal.
        op_type: its operator.
        value: name of the differing value.
        index: of the node in execution order, -1 without one.
        mismatches: elements that differ, of ``size``; 0 where they could not be fetched.
        size: elements of the value.
        max_lsb: largest difference in integer steps.
        coordinates: of the first few differing elements, in stored layout.
        text: the whole finding for people.
    """

    vector: str
    node: str
    op_type: str
    value: str
    index: int
    mismatches: int
    size: int
    max_lsb: int
    coordinates: tuple[tuple[int, ...], ...]
    text: str


@dataclass(frozen=True, slots=True)
class AccuracyRecord:
    """One metric on the evaluation data, computed in up to three ways.

    Attributes:
        metric: ``top1`` (more is better) or ``mae`` (less is better).
        samples: how many samples were evaluated.
        floating: by ONNX Runtime on the float model; ``None`` where it is not installed or the
            suite starts from an ``.espdl`` file.
        simulated: by the simulator.
        board: by the board.
    """

    metric: str
    samples: int
    floating: float | None
    simulated: float
    board: float


@dataclass(frozen=True, slots=True)
class BudgetRecord:
    """One promise of the suite file: what was allowed and what came out."""

    name: str
    limit: float
    measured: float
    kept: bool


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """One kind of memory on the board after the runs, in bytes."""

    name: str
    total_bytes: int
    free_bytes: int
    high_water_bytes: int


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node and its latency in the last measured run."""

    node: str
    op_type: str
    latency_us: float


@dataclass(frozen=True, slots=True)
class OpenNodeRecord:
    """A node output whose last bit ESP-DL's source leaves to the chip's compiler.

    Attributes:
        node: node name.
        op_type: its operator.
        value: name of the value.
        steps: largest integer difference that its trait allows.
        relative: largest float difference that its trait allows.
        why: the path and what the compiler may do to it.
        source: ESP-DL file and function.
        vectors: input sets in which it differed, within that.
        largest: the largest difference seen, in steps, or in the float's unit.
    """

    node: str
    op_type: str
    value: str
    steps: int
    relative: float
    why: str
    source: str
    vectors: int
    largest: float


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """One model on one board.

    Attributes:
        model: name in the suite.
        board: board name in ``boards.yaml``.
        target: chip.
        virtual: the board is virtual; its latency is that of the host.
        bits: integer width of the quantization; 0 where the suite starts from ``.espdl``.
        calibration: how exponents were chosen, in the file's words; random data says so.
        engine: what executed, with its version.
        vectors: input sets compared.
        vectors_equal: how many of them were equal in every integer.
        nodes: node outputs compared per input set.
        max_lsb: largest difference of a graph output over all input sets.
        difference: the first difference; ``None`` where all are equal.
        accuracy: ``None`` where the suite gives no evaluation data.
        budgets: promises of the suite file.
        latency_us: every measured run, in order.
        node_latencies: of the file's own test vector, or the first input set.
        memory: by region.
        bytes_up: on the wire, host to board, everything included.
        bytes_down: board to host.
        model_uploaded: whether the model had to be sent.
        flashed: whether the firmware had to be written before this session.
        retries: requests repeated on the line.
        model_bytes: size of the ``.espdl`` file.
        model_sha256: hash of the ``.espdl`` file that the board executed.
        source_sha256: hash of the model file named in the suite.
        firmware_sha256: hash of the application that answered.
        firmware_version: its own words.
        seed: of the random vectors.
        seconds: wall time of the check.
        latency_unit: ``us``, or ``instructions`` where an emulated CPU counts each of them as a
            nanosecond: all latencies of the record are then thousands of instructions.
        cycles: of the CPU in the last measured run; ``None`` where the board counts none.
        temperature_c: of the die after the measured runs; ``None`` without a sensor.
        chip_revision: e.g. ``v1.3``.
        reset_reason: why the board last booted.
        facts: what latencies stand on, in the board's words: clocks, caches, versions.
        sequence: the input sets were steps of one stream.
        open_nodes: node outputs that may differ by their trait, and by how much they did.
    """

    model: str
    board: str
    target: str
    virtual: bool
    bits: int
    calibration: str
    engine: str
    vectors: int
    vectors_equal: int
    nodes: int
    max_lsb: int
    difference: DifferenceRecord | None
    accuracy: AccuracyRecord | None
    budgets: tuple[BudgetRecord, ...]
    latency_us: tuple[float, ...]
    node_latencies: tuple[NodeRecord, ...]
    memory: tuple[MemoryRecord, ...]
    bytes_up: int
    bytes_down: int
    model_uploaded: bool
    flashed: bool
    retries: int
    model_bytes: int
    model_sha256: str
    source_sha256: str
    firmware_sha256: str
    firmware_version: str
    seed: int
    seconds: float
    latency_unit: str = "us"
    cycles: int | None = None
    temperature_c: float | None = None
    chip_revision: str = ""
    reset_reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    sequence: bool = False
    open_nodes: tuple[OpenNodeRecord, ...] = ()

    @property
    def equal(self) -> bool:
        """Every value of every input set is the simulator's, or as near as its trait allows."""
        return self.difference is None and self.vectors_equal == self.vectors

    @property
    def passed(self) -> bool:
        """Equal, and every budget kept."""
        return self.equal and all(budget.kept for budget in self.budgets)

    @property
    def median_latency_us(self) -> float:
        """The median of the measured runs; 0 without any."""
        return statistics.median(self.latency_us) if self.latency_us else 0.0

    @property
    def p95_latency_us(self) -> float:
        """The latency that 95 % of the measured runs keep (nearest rank); 0 without any."""
        if not self.latency_us:
            return 0.0
        return sorted(self.latency_us)[math.ceil(0.95 * len(self.latency_us)) - 1]

    @property
    def latency_cv(self) -> float:
        """Standard deviation of the measured runs over their mean; 0 below two runs."""
        mean = statistics.fmean(self.latency_us) if self.latency_us else 0.0
        return (
            statistics.stdev(self.latency_us) / mean if len(self.latency_us) > 1 and mean else 0.0
        )

    @property
    def counts_instructions(self) -> bool:
        """Its latencies are counts of an emulated CPU's instructions, and no times."""
        return self.latency_unit == "instructions"

    @property
    def board_label(self) -> str:
        """The board's name, labelled where it is virtual and the name does not say so."""
        unsaid = self.virtual and "virtual" not in self.board
        return f"{self.board} (virtual)" if unsaid else self.board


@dataclass(frozen=True, slots=True)
class BenchErrorRecord:
    """A model × board pair that could not be judged, because the bench failed."""

    model: str
    board: str
    virtual: bool
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of one session.

    Attributes:
        created: when it was made, ISO 8601 in UTC.
        versions: what took part: ``git_commit``, ``espdl_hil``, ``python``, packages.
        checks: one per model × board, in the order they ran.
        bench_errors: pairs without a judgement.
        flashes: how many boards had to be flashed.
        uploads: how many models had to be sent.
    """

    created: str
    versions: Mapping[str, str]
    checks: tuple[CheckRecord, ...]
    bench_errors: tuple[BenchErrorRecord, ...] = ()
    flashes: int = 0
    uploads: int = 0
    schema: int = field(default=SCHEMA)

    @property
    def passed(self) -> bool:
        """Something was checked, all of it passed, and the bench held."""
        checked = bool(self.checks) and not self.bench_errors
        return checked and all(check.passed for check in self.checks)


def to_plain(record: Any) -> dict[str, Any]:  # noqa: ANN401 -- any of the records above
    """A record as dictionaries, lists, numbers and strings, for JSON or another process."""
    return cast("dict[str, Any]", json.loads(json.dumps(dataclasses.asdict(record))))


def from_plain(kind: type[_R], plain: Mapping[str, Any]) -> _R:
    """The record of type ``kind`` that ``to_plain`` took apart.

    Raises:
        ConfigError: a field is missing or unknown, so another version wrote it.
    """
    return cast(_R, _build(kind, plain))


def write_report(path: Path, report: Report) -> None:
    """Write ``results.json``, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(to_plain(report), indent=1, sort_keys=True) + "\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_report(path: Path) -> Report:
    """Read a ``results.json``.

    Raises:
        ConfigError: not JSON, or of another schema version.
    """
    try:
        plain = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read as results: {error}", file=path) from error
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if schema != SCHEMA:
        raise ConfigError(f"is of schema {schema!r}, this version reads {SCHEMA}", file=path)
    return from_plain(Report, plain)


def joined(reports: Sequence[Report]) -> Report:
    """Several reports as one, in the order given; the first one's versions and time stand.

    Versions that differ from those of the first are kept under ``NAME (n)``.
    """
    versions = dict(reports[0].versions)
    for number, report in enumerate(reports[1:], start=2):
        for name, version in report.versions.items():
            if reports[0].versions.get(name) != version:
                versions[f"{name} ({number})"] = version
    return Report(
        created=reports[0].created,
        versions=versions,
        checks=tuple(check for report in reports for check in report.checks),
        bench_errors=tuple(error for report in reports for error in report.bench_errors),
        flashes=sum(report.flashes for report in reports),
        uploads=sum(report.uploads for report in reports),
    )


def _build(kind: Any, plain: Any) -> Any:  # noqa: ANN401 -- walks type annotations
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if plain is None else _build(inner[0], plain)
    if origin is tuple:
        return tuple(_build(typing.get_args(kind)[0], item) for item in plain)
    if not dataclasses.is_dataclass(kind):
        return plain
    hints = typing.get_type_hints(kind)
    if set(plain) != set(hints):
        odd = ", ".join(sorted(set(plain) ^ set(hints)))
        raise ConfigError(f"results of another version: fields {odd}")
    fields = {name: _build(hints[name], value) for name, value in plain.items()}
    return cast("type[Any]", kind)(**fields)
