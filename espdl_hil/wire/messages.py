"""The messages of the wire protocol, version 2: one frozen dataclass each, both directions.

The law of this file: fields are those of docs/protocol.md, in their order, and nothing else; how
they become bytes is the codec's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

PROTOCOL_VERSION = 2
SHA256_BYTES = 32
EVERY_MODEL = bytes(SHA256_BYTES)
"""The hash that MODEL_ERASE takes for the whole store."""
NO_TEMPERATURE = -0x8000
"""What RUN answers where the board cannot measure its temperature."""


class Coding(IntEnum):
    """How the bytes of an upload are packed."""

    PLAIN = 0
    ZLIB = 1


class ModelAnswer(IntEnum):
    """What the board says to an announced model."""

    HAVE_IT = 0
    SEND = 1


class RunFlags(IntFlag):
    """Options of RUN."""

    NONE = 0
    DIGESTS = 1
    KEEP_STATE = 2


class IdentityFlags(IntFlag):
    """What the board that answered HELLO is like."""

    NONE = 0
    VIRTUAL = 1
    INSTRUCTIONS = 2


class LogLevel(IntEnum):
    """Severity of a LOG message."""

    ERROR = 1
    WARNING = 2
    INFO = 3
    DEBUG = 4


class Status(IntEnum):
    """Why the firmware refused a request; the numbers of ``hil_status.h``."""

    OK = 0
    FORMAT = 1
    UNSUPPORTED = 2
    SHAPE = 3
    MEMORY = 4
    TARGET = 5
    STATE = 6
    ARGUMENT = 7
    HASH = 8
    STORE = 9
    INFLATE = 10
    VERSION = 11
    INTERNAL = 12


# --- Requests -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """Who are you, and which protocol versions do you speak?"""

    lowest: int = PROTOCOL_VERSION
    highest: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class ModelBegin:
    """Announces a model by the SHA-256 of its plain bytes."""

    sha256: bytes
    size: int
    coded_size: int
    coding: int


@dataclass(frozen=True, slots=True)
class ModelData:
    """A piece of the coded stream."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ModelCommit:
    """The stream is complete: hash what was stored and keep it."""

    sha256: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """Makes a stored model ready to run on an engine (0 reference, 1 espdl)."""

    sha256: bytes
    engine: int


@dataclass(frozen=True, slots=True)
class Outputs:
    """Which outputs has the loaded model?"""


@dataclass(frozen=True, slots=True)
class Input:
    """A piece of one input, ``offset`` in bytes."""

    index: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TestInputs:
    """Take the file's own test inputs."""

    __test__ = False  # a message, not a test class


@dataclass(frozen=True, slots=True)
class Capture:
    """Keep the named inner value of each run whole, in ``slot``; an empty name frees the slot."""

    slot: int
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    """Runs the loaded model; the same run id never runs twice."""

    run_id: int
    warmup: int
    repeat: int
    cores: int
    flags: int


@dataclass(frozen=True, slots=True)
class Nodes:
    """Rows about node outputs of a run, from row ``first`` on."""

    run_id: int
    first: int


@dataclass(frozen=True, slots=True)
class Latencies:
    """Latencies of the measured runs, from ``first`` on."""

    run_id: int
    first: int


@dataclass(frozen=True, slots=True)
class ReadOutput:
    """A piece of one output, in bytes."""

    run_id: int
    index: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ReadCapture:
    """A piece of one captured value, in bytes."""

    run_id: int
    slot: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Memory:
    """How much memory is used?"""


@dataclass(frozen=True, slots=True)
class ResetState:
    """Forget what persists between runs (streaming caches)."""


@dataclass(frozen=True, slots=True)
class ModelErase:
    """Drops a stored model, or every one (``EVERY_MODEL``)."""

    sha256: bytes


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart after the answer."""


@dataclass(frozen=True, slots=True)
class Baud:
    """Change the line rate after the answer; a HELLO within 500 ms confirms it."""

    baud: int


Request = (
    Hello
    | ModelBegin
    | ModelData
    | ModelCommit
    | Load
    | Outputs
    | Input
    | TestInputs
    | Capture
    | Run
    | Nodes
    | Latencies
    | ReadOutput
    | ReadCapture
    | Memory
    | ResetState
    | ModelErase
    | Reboot
    | Baud
)

# --- Parts of answers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TensorDescription:
    """One tensor: ``real = integer * 2**exponent``, ``dims`` in stored layout."""

    name: str
    dtype: int
    exponent: int
    dims: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Region:
    """One kind of memory, in bytes."""

    name: str
    total_bytes: int
    free_bytes: int
    high_water_bytes: int


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """One engine that is built in."""

    id: int
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that holds for this boot of the board, e.g. ``cpu_mhz`` ``240``."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node output; ``latency`` in units of 100 ns, on the node's first output."""

    node: str
    op_type: str
    value: str
    dtype: int
    exponent: int
    dims: tuple[int, ...]
    digest: bytes
    latency: int


# --- Answers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """Answer to HELLO: the board, its firmware and the limits of this link."""

    version: int
    flags: int
    window: int
    chunk_size: int
    target: str
    chip_revision: str
    mac: bytes
    firmware_sha256: bytes
    firmware_version: str
    reset_reason: str
    engines: tuple[EngineEntry, ...]
    cached_models: tuple[bytes, ...]
    memory: tuple[Region, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class ModelState:
    """Answer to MODEL_BEGIN: whether to send, and from which offset of the coded stream."""

    state: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class ModelProgress:
    """Answer to MODEL_DATA: every byte before ``next_offset`` is stored."""

    next_offset: int


@dataclass(frozen=True, slots=True)
class ModelCommitted:
    """Answer to MODEL_COMMIT."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Answer to LOAD."""

    node_count: int
    inputs: tuple[TensorDescription, ...]


@dataclass(frozen=True, slots=True)
class OutputList:
    """Answer to OUTPUTS."""

    outputs: tuple[TensorDescription, ...]


@dataclass(frozen=True, slots=True)
class InputTaken:
    """Answer to INPUT."""


@dataclass(frozen=True, slots=True)
class TestInputsTaken:
    """Answer to TEST_INPUTS."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class CaptureSet:
    """Answer to CAPTURE."""


@dataclass(frozen=True, slots=True)
class RunDone:
    """Answer to RUN: which model ran, how often, and how.

    ``cycles`` are those of the last measured run's nodes, 0 where the board counts none;
    ``temperature`` is in tenths of a degree Celsius, ``NO_TEMPERATURE`` without a sensor.
    """

    run_id: int
    model_sha256: bytes
    runs_done: int
    cycles: int
    temperature: int


@dataclass(frozen=True, slots=True)
class NodeRows:
    """Answer to NODES: as many rows as fit, of ``total``."""

    total: int
    rows: tuple[NodeRow, ...]


@dataclass(frozen=True, slots=True)
class LatencyList:
    """Answer to LATENCIES, in units of 100 ns."""

    latencies: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OutputBytes:
    """Answer to READ_OUTPUT."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CaptureBytes:
    """Answer to READ_CAPTURE: a piece, and the size of the whole value."""

    whole_size: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Answer to MEMORY."""

    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class StateReset:
    """Answer to RESET_STATE."""


@dataclass(frozen=True, slots=True)
class ModelErased:
    """Answer to MODEL_ERASE."""


@dataclass(frozen=True, slots=True)
class Rebooting:
    """Answer to REBOOT; the board restarts right after."""


@dataclass(frozen=True, slots=True)
class BaudAccepted:
    """Answer to BAUD, still at the old rate."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """ERROR: the firmware understood the request and said no."""

    status: int
    request_type: int
    offset: int
    node: str
    text: str


Answer = (
    Identity
    | ModelState
    | ModelProgress
    | ModelCommitted
    | Loaded
    | OutputList
    | InputTaken
    | TestInputsTaken
    | CaptureSet
    | RunDone
    | NodeRows
    | LatencyList
    | OutputBytes
    | CaptureBytes
    | MemoryReport
    | StateReset
    | ModelErased
    | Rebooting
    | BaudAccepted
    | Refusal
)

# --- Messages that nobody asked for -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Log:
    """A line of text from the board; ``level`` is a ``LogLevel`` number."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Alive:
    """The run goes on: slow, not dead."""

    run_id: int
    node_index: int
    run: int


Unasked = Log | Alive
Message = Request | Answer | Unasked
