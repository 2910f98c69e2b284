"""The questions of a session, in order: hello, model, inputs, run, results.

The law of this file: no I/O. It builds tasks and reads their answers; ``perform`` carries a task
out. Whatever the board says about sizes, names and types is checked here before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Protocol, TypeVar

import numpy as np

from espdl_hil.errors import EngineError, ModelError, RemoteProtocolError, StreamLostError
from espdl_hil.ir.types import Array, DType
from espdl_hil.runs import (
    BoardIdentity,
    Engine,
    LatencyUnit,
    LinkUsage,
    MemoryRegion,
    NodeOutput,
    RunRequest,
    RunResult,
)
from espdl_hil.wire import messages as m
from espdl_hil.wire.client import QUICK, SLOW, STORING, Pace
from espdl_hil.wire.tasks import Ask, ChunkSize, ReadBytes, Task, Upload, WriteInput

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
ENGINE_IDS: Mapping[Engine, int] = {Engine.REFERENCE: 0, Engine.ESPDL: 1}
MAX_CHUNK_BYTES = 4096
_MAX_PROBE_BYTES = 1 << 24
_TICKS_PER_US = 10  # latencies travel in units of 100 ns


class Perform(Protocol):
    """Carries out a task on a line and returns its result."""

    def __call__(self, task: Task[T], pace: Pace) -> T:
        """Block until the task is done; raises the errors of ``BoardError``."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What one RUN brought back; the session adds who ran it and what crossed the line."""

    outputs: Mapping[str, Array]
    nodes: tuple[NodeOutput, ...]
    captured: Mapping[str, Array]
    latency_us: tuple[float, ...]
    memory: tuple[MemoryRegion, ...]
    engine: Engine
    model_sha256: str
    model_uploaded: bool
    cycles: int | None
    temperature_c: float | None

    def result(self, board: BoardIdentity, link: LinkUsage, log: tuple[str, ...] = ()) -> RunResult:
        """Return the findings with who ran it, what crossed the line and what was logged."""
        return RunResult(
            outputs=self.outputs,
            nodes=self.nodes,
            captured=self.captured,
            latency_us=self.latency_us,
            memory=self.memory,
            board=board,
            engine=self.engine,
            model_sha256=self.model_sha256,
            link=link,
            log=log,
            cycles=self.cycles,
            temperature_c=self.temperature_c,
        )


@dataclass(frozen=True, slots=True)
class _LoadedModel:
    sha256: bytes
    engine: Engine
    inputs: tuple[m.TensorDescription, ...]
    outputs: tuple[m.TensorDescription, ...]


class Conversation:
    """Talks to one runner after it was reached; remembers which model it has loaded.

    Args:
        perform: carries out tasks.
        next_run_id: a number that no earlier run on this board had; random 32 bits will do.
    """

    def __init__(self, perform: Perform, next_run_id: Callable[[], int]) -> None:
        self._perform = perform
        self._next_run_id = next_run_id
        self._chunk = ChunkSize(MAX_CHUNK_BYTES)
        self._engine = Engine.REFERENCE
        self._loaded: _LoadedModel | None = None
        self._captures: tuple[str, ...] = ()
        self._stream: _LoadedModel | None = None  # whose state the board holds
        self.model_uploaded = False

    def hello(self) -> m.Identity:
        """Ask who is there.

        Raises:
            RemoteProtocolError: the firmware speaks no version of ours, or its limits are absurd.
        """
        self._loaded = None
        identity = self._ask(m.Hello(), m.Identity)
        if identity.version != m.PROTOCOL_VERSION:
            raise RemoteProtocolError(
                f"the firmware chose protocol {identity.version}, we speak {m.PROTOCOL_VERSION}",
                hint="flash the board again",
            )
        if not 1 <= identity.chunk_size <= MAX_CHUNK_BYTES or identity.window < 1:
            raise RemoteProtocolError(
                f"the firmware offers a window of {identity.window} × {identity.chunk_size} bytes"
            )
        self._chunk = ChunkSize(identity.chunk_size)
        self._engine = board_identity(identity).engines[0]
        return identity

    def run(self, request: RunRequest) -> Findings:
        """Bring the model and its inputs to the board, run, and fetch everything asked for.

        Raises:
            ModelError: the inputs are not those of the model, or a value to capture is unknown.
            EngineError: the firmware refused.
            StreamLostError: the stream to continue is not on the board any more.
            RemoteProtocolError: the board ran another model, or contradicts itself.
        """
        self.model_uploaded = False
        reused = self._loaded is not None
        try:
            return self._run_through(request)
        except EngineError as error:
            self._loaded = None  # loading anew costs little, and repairs what the board forgot
            if not reused or error.status != _FORGOTTEN:
                raise
            if request.keep_state:
                raise StreamLostError(
                    f"the board forgot the state that this run continues: {error.what}",
                    hint="it restarted since, or another program used it; start the stream anew",
                ) from error
        # The board restarted while nobody listened, or another program used it.
        return self._run_through(request)

    def _run_through(self, request: RunRequest) -> Findings:
        stream, self._stream = self._stream, None  # until this run ends well
        sha256 = hashlib.sha256(request.model).digest()
        engine = request.engine or self._engine
        captures = tuple(dict.fromkeys(request.capture))
        loaded = self._loaded
        if loaded is not None and (loaded.sha256, loaded.engine) != (sha256, engine):
            loaded = None
        if request.keep_state and (loaded is None or stream is not loaded):
            raise StreamLostError(
                "the board does not hold the state that this run continues",
                hint="run the first step without keep_state, and nothing else in between",
            )
        if loaded is None:
            loaded = self._load(request.model, sha256, engine)
        self._set_captures(captures)
        try:
            self._set_inputs(loaded.inputs, request.inputs)
        except ModelError:
            self._rule_out_stale(loaded)
            raise
        done = self._run(loaded.sha256, request)
        run_id = done.run_id
        rows = self._rows(run_id) if request.digests or captures else ()
        latencies = self._latencies(run_id, request.repeat)
        outputs = {
            output.name: self._read_output(run_id, index, output)
            for index, output in enumerate(loaded.outputs)
        }
        captured = {
            name: self._read_capture(run_id, slot, name, rows) for slot, name in enumerate(captures)
        }
        regions = _regions(self._ask(m.Memory(), m.MemoryReport).regions)
        self._stream = loaded
        return Findings(
            outputs=outputs,
            nodes=tuple(_node_output(row) for row in rows) if request.digests else (),
            captured=captured,
            latency_us=latencies,
            memory=regions,
            engine=engine,
            model_sha256=sha256.hex(),
            model_uploaded=self.model_uploaded,
            cycles=done.cycles or None,
            temperature_c=None if done.temperature == m.NO_TEMPERATURE else done.temperature / 10,
        )

    def provide(self, model: bytes) -> bool:
        """Make sure that the board's store holds ``model``; return whether bytes were sent.

        An upload that was cut goes on where it stopped.
        """
        sha256 = hashlib.sha256(model).digest()
        coding, coded = _coded(model)
        begin = m.ModelBegin(sha256, len(model), len(coded), coding)
        resumed = self._upload(begin, coded)
        if resumed is None:
            return False
        try:
            self._ask(m.ModelCommit(sha256), m.ModelCommitted, SLOW)
        except EngineError as error:
            # The beginning may stem from a host whose compressor cuts the stream differently.
            # Only a stream that we sent from its first byte can be blamed on the board.
            if not resumed or error.status not in _BROKEN_STREAM:
                raise
            self._ask(m.ModelErase(sha256), m.ModelErased, SLOW)
            self._upload(begin, coded)
            self._ask(m.ModelCommit(sha256), m.ModelCommitted, SLOW)
        return True

    def erase_models(self) -> None:
        """Empty the board's model store."""
        self._loaded = None
        self._ask(m.ModelErase(m.EVERY_MODEL), m.ModelErased, SLOW)

    def reboot(self) -> None:
        """Restart the board; it answers first."""
        self._loaded = None
        self._ask(m.Reboot(), m.Rebooting)

    def change_baud(self, baud: int) -> None:
        """Ask for another line rate; it holds once a hello arrives at the new rate."""
        self._ask(m.Baud(baud), m.BaudAccepted)

    # --- Steps of a run -----------------------------------------------------------------------

    def _upload(self, begin: m.ModelBegin, coded: bytes) -> bool | None:
        """Send what the board lacks; ``None`` if it has all, else whether this was a resume."""
        state = self._ask(begin, m.ModelState, SLOW)
        if state.state == m.ModelAnswer.HAVE_IT:
            return None
        if state.next_offset > len(coded):
            raise RemoteProtocolError(
                f"the board wants offset {state.next_offset} of {len(coded)} coded bytes"
            )
        self.model_uploaded = True
        self._perform(Upload(coded, start=state.next_offset, chunk=self._chunk), STORING)
        return state.next_offset > 0

    def _load(self, model: bytes, sha256: bytes, engine: Engine) -> _LoadedModel:
        self._loaded = None
        self._captures = ()
        load = m.Load(sha256, ENGINE_IDS[engine])
        sent = self.provide(model)
        try:
            loaded = self._ask(load, m.Loaded, SLOW)
        except EngineError as error:
            if sent or error.status != _ROTTEN:
                raise
            # What the board stored some time ago has changed since; it dropped the model.
            _LOG.warning("the board's copy of model %s is damaged; it is sent anew", sha256.hex())
            self.provide(model)
            loaded = self._ask(load, m.Loaded, SLOW)
        outputs = self._ask(m.Outputs(), m.OutputList).outputs
        self._loaded = _LoadedModel(sha256, engine, loaded.inputs, outputs)
        return self._loaded

    def _set_captures(self, names: tuple[str, ...]) -> None:
        for slot, (old, new) in enumerate(zip_longest(self._captures, names, fillvalue="")):
            if old != new:
                self._ask(m.Capture(slot, new), m.CaptureSet)
        self._captures = names

    def _set_inputs(
        self, wanted: Sequence[m.TensorDescription], given: Mapping[str, Array]
    ) -> None:
        if not given:
            self._ask(m.TestInputs(), m.TestInputsTaken)
            return
        names = [description.name for description in wanted]
        if set(names) != set(given):
            raise ModelError(
                f"inputs given: {', '.join(sorted(given))}; the model has: {', '.join(names)}"
            )
        data = [_input_bytes(one, given[one.name]) for one in wanted]
        for index, piece in enumerate(data):
            self._perform(WriteInput(index, piece, self._chunk), QUICK)

    def _rule_out_stale(self, loaded: _LoadedModel) -> None:
        """Run on zeros to learn whose inputs the board described: only RUN names the model."""
        if sum(one.size_bytes for one in loaded.inputs) > _MAX_PROBE_BYTES:
            return
        for index, one in enumerate(loaded.inputs):
            self._perform(WriteInput(index, bytes(one.size_bytes), self._chunk), QUICK)
        with contextlib.suppress(EngineError):
            self._run(loaded.sha256, RunRequest(model=b"", digests=False))

    def _run(self, sha256: bytes, request: RunRequest) -> m.RunDone:
        run_id = self._next_run_id()
        # Captured values get their types from the rows, so they need the observer too.
        digests = request.digests or bool(request.capture)
        flags = m.RunFlags.DIGESTS if digests else m.RunFlags.NONE
        if request.keep_state:
            flags |= m.RunFlags.KEEP_STATE
        asked = m.Run(run_id, request.warmup, request.repeat, request.cores, flags)
        pace = replace(SLOW, silence_s=max(SLOW.silence_s, request.silence_s or 0.0))
        done = self._ask(asked, m.RunDone, pace)
        if done.model_sha256 != sha256:
            self._loaded = None
            raise RemoteProtocolError(
                f"stale model: the board ran {done.model_sha256.hex()[:12]}…, "
                f"asked for {sha256.hex()[:12]}…",
                hint="the board lost or replaced its loaded model; run again",
            )
        if (done.run_id, done.runs_done) != (run_id, request.repeat):
            raise RemoteProtocolError(
                f"run {run_id:#x} × {request.repeat} was asked for, "
                f"run {done.run_id:#x} × {done.runs_done} was done"
            )
        return done

    def _rows(self, run_id: int) -> tuple[m.NodeRow, ...]:
        rows: list[m.NodeRow] = []
        while True:
            part = self._ask(m.Nodes(run_id, len(rows)), m.NodeRows)
            rows += part.rows
            if len(rows) == part.total:
                return tuple(rows)
            if not part.rows or len(rows) > part.total:
                raise RemoteProtocolError(f"{len(rows)} node rows came of {part.total}")

    def _latencies(self, run_id: int, count: int) -> tuple[float, ...]:
        ticks: list[int] = []
        while len(ticks) < count:
            part = self._ask(m.Latencies(run_id, len(ticks)), m.LatencyList).latencies
            if not part:
                raise RemoteProtocolError(f"{len(ticks)} latencies came of {count}")
            ticks += part
        return tuple(tick / _TICKS_PER_US for tick in ticks[:count])

    def _read_output(self, run_id: int, index: int, output: m.TensorDescription) -> Array:
        def ask(offset: int, size: int) -> m.ReadOutput:
            return m.ReadOutput(run_id, index, offset, size)

        data = self._perform(ReadBytes(output.size_bytes, self._chunk, ask), QUICK)
        return _array(output.name, output.dtype, output.dims, data)

    def _read_capture(self, run_id: int, slot: int, name: str, rows: Sequence[m.NodeRow]) -> Array:
        row = next((row for row in rows if row.value == name), None)
        if row is None:
            raise ModelError("no node of the model computes this value", value=name)

        def ask(offset: int, size: int) -> m.ReadCapture:
            return m.ReadCapture(run_id, slot, offset, size)

        size_bytes = math.prod(row.dims) * _dtype(row.dtype).numpy.itemsize
        data = self._perform(ReadBytes(size_bytes, self._chunk, ask), QUICK)
        return _array(name, row.dtype, row.dims, data)

    def _ask(self, request: m.Request, kind: type[T], pace: Pace = QUICK) -> T:
        answer = self._perform(Ask(request), pace)
        assert isinstance(answer, kind)  # the client holds every answer to its request's type
        return answer


_FORGOTTEN = "HIL_ERR_STATE"
_ROTTEN = "HIL_ERR_HASH"
_BROKEN_STREAM = ("HIL_ERR_HASH", "HIL_ERR_INFLATE")


def board_identity(identity: m.Identity) -> BoardIdentity:
    """Return the answer to a hello in the terms of ``runs``.

    Raises:
        RemoteProtocolError: the firmware names no engine that we know.
    """
    by_id = {number: engine for engine, number in ENGINE_IDS.items()}
    known = [entry for entry in identity.engines if entry.id in by_id]
    if not known:
        raise RemoteProtocolError("the firmware has no engine that this program knows")
    return BoardIdentity(
        target=identity.target,
        chip_revision=identity.chip_revision,
        mac=":".join(f"{byte:02x}" for byte in identity.mac),
        firmware_sha256=identity.firmware_sha256.hex(),
        firmware_version=identity.firmware_version,
        protocol=identity.version,
        engines=tuple(by_id[entry.id] for entry in known),
        engine_versions=tuple(entry.version for entry in known),
        virtual=bool(identity.flags & m.IdentityFlags.VIRTUAL),
        cached_models=tuple(sha256.hex() for sha256 in identity.cached_models),
        memory=_regions(identity.memory),
        reset_reason=identity.reset_reason,
        latency_unit=(
            LatencyUnit.INSTRUCTIONS
            if identity.flags & m.IdentityFlags.INSTRUCTIONS
            else LatencyUnit.MICROSECONDS
        ),
        facts={fact.name: fact.value for fact in identity.facts},
    )


def _coded(model: bytes) -> tuple[m.Coding, bytes]:
    """Return the shorter of the plain and the deflated model; always the same for one model."""
    # Weights are numbers of little magnitude with few repetitions, which FILTERED is made for: on
    # large models of the zoo 0.1 to 3 % of the whole shorter than the default strategy.
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_FILTERED)
    deflated = packer.compress(model) + packer.flush()
    return (m.Coding.ZLIB, deflated) if len(deflated) < len(model) else (m.Coding.PLAIN, model)


def _regions(regions: Sequence[m.Region]) -> tuple[MemoryRegion, ...]:
    return tuple(
        MemoryRegion(one.name, one.total_bytes, one.free_bytes, one.high_water_bytes)
        for one in regions
    )


def _dtype(number: int) -> DType:
    try:
        return DType(number)
    except ValueError as cause:
        raise RemoteProtocolError(f"the board names an unknown element type {number}") from cause


def _node_output(row: m.NodeRow) -> NodeOutput:
    return NodeOutput(
        node=row.node,
        op_type=row.op_type,
        value=row.value,
        dtype=_dtype(row.dtype),
        shape=row.dims,
        exponent=row.exponent,
        # XXH64 is printed as one number, most significant digit first.
        digest=row.digest[::-1].hex(),
        latency_us=row.latency / _TICKS_PER_US,
    )


def _input_bytes(description: m.TensorDescription, array: Array) -> bytes:
    dtype = _dtype(description.dtype).numpy
    if array.dtype.newbyteorder("<") != dtype or array.shape != description.dims:
        raise ModelError(
            f"{array.dtype} {list(array.shape)} was given, "
            f"the board wants {dtype.name} {list(description.dims)} (stored layout)",
            value=description.name,
        )
    data = np.ascontiguousarray(array, dtype=dtype).tobytes()
    if len(data) != description.size_bytes:
        raise RemoteProtocolError(
            f"input {description.name!r} has {len(data)} bytes by its shape, "
            f"the board says {description.size_bytes}"
        )
    return data


def _array(name: str, dtype_number: int, dims: tuple[int, ...], data: bytes) -> Array:
    dtype = _dtype(dtype_number).numpy
    if len(data) != math.prod(dims) * dtype.itemsize:
        raise RemoteProtocolError(
            f"{name!r} came with {len(data)} bytes, its shape is {list(dims)} of {dtype.name}"
        )
    return np.frombuffer(data, dtype=dtype).reshape(dims).copy()
