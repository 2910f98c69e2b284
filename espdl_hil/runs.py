"""What is asked of a board and what comes back, as plain values without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from espdl_hil.ir.types import Array, DType


class LatencyUnit(Enum):
    """What a board's latencies count."""

    MICROSECONDS = "us"
    INSTRUCTIONS = "instructions"
    """Of an emulated CPU, each counted as a nanosecond: reproducible, and no time of any chip."""


class Engine(Enum):
    """What executes the model on the board."""

    REFERENCE = "reference"
    ESPDL = "espdl"


@dataclass(frozen=True, slots=True)
class BoardIdentity:
    """Who answered the hello.

    Attributes:
        target: chip as the numbers see it.
        chip_revision: e.g. ``"v1.3"``.
        mac: stable identity of the unit, ``"7c:df:a1:00:00:01"``.
        firmware_sha256: SHA-256 of the application ELF, hexadecimal.
        firmware_version: git description of the runner.
        protocol: wire protocol version spoken.
        engines: engines built in, the default one first.
        engine_versions: one per engine.
        virtual: a virtual board; shown wherever a result appears.
        cached_models: SHA-256 of models in the store, hexadecimal.
        memory: total and free bytes by region at rest.
        reset_reason: why the board last booted.
        latency_unit: what its latencies count.
        facts: what they stand on, in the board's words: clocks, caches, versions; for this boot.
    """

    target: str
    chip_revision: str
    mac: str
    firmware_sha256: str
    firmware_version: str
    protocol: int
    engines: tuple[Engine, ...]
    engine_versions: tuple[str, ...]
    virtual: bool
    cached_models: tuple[str, ...]
    memory: tuple[MemoryRegion, ...]
    reset_reason: str
    latency_unit: LatencyUnit = LatencyUnit.MICROSECONDS
    facts: Mapping[str, str] = field(default_factory=dict)

    def version_of(self, engine: Engine) -> str:
        """The version of an engine that is built in."""
        return self.engine_versions[self.engines.index(engine)]


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """One kind of memory on the board, in bytes."""

    name: str
    total_bytes: int
    free_bytes: int
    high_water_bytes: int


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One model on one input set.

    Every inference starts with fresh streaming caches, each warm-up and each repetition too,
    unless ``keep_state`` says otherwise.

    Attributes:
        model: the complete ``.espdl`` file.
        inputs: integers by input name, in stored layout and dtype; empty takes the file's own
            test inputs.
        engine: ``None`` takes the board's default.
        capture: names of inner values to bring back whole.
        repeat: measured runs; all latencies come back.
        warmup: runs before measuring.
        cores: 1 or 2.
        digests: bring back the digest of every node output.
        keep_state: go on where the run before left off: the next step of a stream. Such a run has
            no warm-up and one repetition, and the run before must have been of the same model on
            the same engine.
        silence_s: how long the board may be without a sign of life while it runs, half a minute at
            the least; ``None`` takes what the model's largest node may need on a board that has one
            thread, as far as the file can be read.
    """

    model: bytes
    inputs: Mapping[str, Array] = field(default_factory=dict)
    engine: Engine | None = None
    capture: tuple[str, ...] = ()
    repeat: int = 1
    warmup: int = 0
    cores: int = 1
    digests: bool = True
    keep_state: bool = False
    silence_s: float | None = None


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """One output of one node, in execution order.

    Attributes:
        node: node name.
        op_type: its operator.
        value: name of the output value.
        dtype: element type.
        shape: stored layout.
        exponent: of the value; 0 for floats.
        digest: XXH64 (seed 0) of the raw bytes, 16 hexadecimal digits.
        latency_us: of the node (on its first output), in the last measured run.
    """

    node: str
    op_type: str
    value: str
    dtype: DType
    shape: tuple[int, ...]
    exponent: int
    digest: str
    latency_us: float


@dataclass(frozen=True, slots=True)
class LinkUsage:
    """What crossed the line for a run, in bytes on the wire, and what was saved."""

    bytes_up: int
    bytes_down: int
    model_uploaded: bool
    retries: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """What the board computed.

    Attributes:
        outputs: graph outputs by name, stored layout and dtype.
        nodes: every node output in execution order (empty without ``digests``).
        captured: requested inner values by name.
        latency_us: one figure per measured run.
        memory: by region after the run.
        board: who ran it.
        engine: which of the board's engines computed.
        model_sha256: hash of the model bytes that the board executed, hexadecimal.
        link: line usage of this request.
        log: text lines that the board logged meanwhile.
        cycles: of the CPU in the last measured run; ``None`` where the board counts none.
        temperature_c: of the die after the run; ``None`` without a sensor.
    """

    outputs: Mapping[str, Array]
    nodes: tuple[NodeOutput, ...]
    captured: Mapping[str, Array]
    latency_us: tuple[float, ...]
    memory: tuple[MemoryRegion, ...]
    board: BoardIdentity
    engine: Engine
    model_sha256: str
    link: LinkUsage
    log: tuple[str, ...] = ()
    cycles: int | None = None
    temperature_c: float | None = None
