"""A board in this process, behind the real session: its flash, its time and its cable are ours.

The law of this file: the board, the client and the session are the product's; only the line between
them is played, on one clock that moves when somebody waits.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import random
from collections import deque
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p as handle
from dataclasses import dataclass

from espdl_hil.boards.line import Line
from espdl_hil.errors import DisconnectedError
from espdl_hil.transport import Transport
from espdl_hil.transport.loopback import ManualClock
from tests.support.reference_engine import build

FOREVER = 2**64 - 1
SECTORS = 64
PSRAM_BYTES = 2 << 20
_NUMBERS = itertools.count()
_NODE_NS = 1_000_000
_BYTE_S = 10 / 921600
"""What a byte takes on the line."""

_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "new": (handle, [c_char_p, c_uint32, c_uint32]),
    "free": (None, [handle]),
    "boot": (c_int, [handle, c_char_p]),
    "receive": (None, [handle, c_char_p, c_size_t]),
    "pass": (None, [handle, c_uint64]),
    "now": (c_uint64, [handle]),
    "take": (handle, [handle, POINTER(c_size_t)]),
    "hurt": (None, [handle, c_uint32, c_uint64]),
    "pace": (None, [handle, c_uint64]),
    "dead": (c_int, [handle]),
    "broke_nor": (c_int, [handle]),
    "flash": (handle, [handle, POINTER(c_size_t)]),
}


@functools.cache
def _library() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(build("memory_board", "libhil_memory_board.so")))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, f"memory_board_{name}")
        function.restype = result
        function.argtypes = arguments
    return lib


class MemoryBoard:
    """The runner's server, store and reference engine over flash in memory.

    Args:
        target: chip whose integers to compute.
        clock: the time; a run moves it on.
        psram_bytes: memory for models.
        sectors: of flash.
    """

    def __init__(
        self,
        target: str,
        clock: ManualClock,
        psram_bytes: int = PSRAM_BYTES,
        sectors: int = SECTORS,
    ) -> None:
        self._target = target
        self._clock = clock
        self._lib = _library()
        self._reason = ctypes.create_string_buffer(b"poweron", 32)  # the board keeps a pointer
        self._board = self._lib.memory_board_new(target.encode(), sectors, psram_bytes)
        self.restarts = 0
        self.boot("poweron")

    def __del__(self) -> None:
        self._lib.memory_board_free(self._board)

    def boot(self, reason: str) -> bytes:
        """Start anew with what flash holds; return what a chip says meanwhile."""
        self.restarts += 1
        self._reason.value = reason.encode()
        status = self._lib.memory_board_boot(self._board, self._reason)
        assert status == 0, f"the store cannot be mounted: status {status}"
        self.pace(_NODE_NS)
        text = (
            f"\r\nESP-ROM:{self._target} (virtual)\r\nrst: {reason}, boot: SPI_FAST_FLASH_BOOT\r\n"
        )
        return text.encode()

    def pace(self, node_ns: int) -> None:
        """Set what a node takes on the board's clock."""
        self._lib.memory_board_pace(self._board, node_ns)

    def receive(self, data: bytes) -> bytes:
        """Give it bytes; return what it says. What it computes takes time."""
        self._lib.memory_board_pass(self._board, int(self._clock() * 1e9))
        self._lib.memory_board_receive(self._board, data, len(data))
        self._clock.advance(self._lib.memory_board_now(self._board) / 1e9 - self._clock())
        size = c_size_t()
        at = self._lib.memory_board_take(self._board, byref(size))
        return ctypes.string_at(at, size.value) if size.value else b""

    def hurt(self, *, dies_after_nodes: int = 0, power_bytes: int = FOREVER) -> None:
        """Let it die in a node, or when flash took so many bytes."""
        self._lib.memory_board_hurt(self._board, dies_after_nodes, power_bytes)

    @property
    def dead(self) -> bool:
        """Whether it is deaf and mute until the next boot."""
        return bool(self._lib.memory_board_dead(self._board))

    @property
    def broke_nor(self) -> bool:
        """Whether the store ever wrote over flash that was not erased."""
        return bool(self._lib.memory_board_broke_nor(self._board))

    def rot(self, rng: random.Random, bits: int) -> None:
        """Flip bits somewhere in flash."""
        flash = self._flash()
        for _ in range(bits):
            flash[rng.randrange(len(flash))] ^= 1 << rng.randrange(8)

    def spoil(self, content: bytes) -> bool:
        """Flip a bit where flash holds ``content``; tell whether it does."""
        flash = self._flash()
        at = bytes(flash).find(content)
        if at >= 0:
            flash[at + len(content) - 1] ^= 1
        return at >= 0

    def _flash(self) -> ctypes.Array[ctypes.c_uint8]:
        size = c_size_t()
        at = self._lib.memory_board_flash(self._board, byref(size))
        return (ctypes.c_uint8 * size.value).from_address(at)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong between host and board; all zero is a good day.

    Attributes:
        drop, flip: probability of a byte's loss, of a flipped bit in it; both directions.
        duplicate: probability that a stretch comes twice.
        delay_s: at most so much later each stretch comes.
        cut_bytes, silence_bytes: after so many bytes the port goes away, or nothing passes, until
            the port is opened again.
        dies_after_nodes: the board stops in a node and reboots by itself (``reboots``) or never.
        reboots: whether a watchdog restarts a board that died.
        power_bytes: after so many bytes written to flash the power fails.
        restart_bytes: after so many bytes the board restarts.
    """

    drop: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.0
    cut_bytes: int | None = None
    silence_bytes: int | None = None
    dies_after_nodes: int = 0
    reboots: bool = True
    power_bytes: int = FOREVER
    restart_bytes: int | None = None


NO_TROUBLE = Trouble()
_WATCHDOG_S = 3.0


class Cable(Transport):
    """The line to a board in memory, with its troubles.

    Args:
        bench: whose line it is; it says what goes wrong now.
    """

    def __init__(self, bench: MemoryLine) -> None:
        self._bench = bench
        self._coming: deque[tuple[float, bytes]] = deque()
        self._open = True
        self._passed = 0
        self._died_at: float | None = None

    @property
    def port(self) -> str:
        """A name for messages."""
        return "memory"

    def read(self, deadline_s: float) -> bytes:
        """Return what has come by the deadline."""
        clock = self._bench.clock
        end = clock() + max(deadline_s, 0.0)
        while True:
            self._check()
            self._watch_over_board()
            if self._coming and self._coming[0][0] <= clock():
                out = bytearray()
                while self._coming and self._coming[0][0] <= clock():
                    out += self._coming.popleft()[1]
                return bytes(out)
            if clock() >= end:
                return b""
            due = self._coming[0][0] if self._coming else end
            if self._died_at is not None and self._bench.trouble.reboots:
                due = min(due, self._died_at + _WATCHDOG_S)
            clock.advance(min(due, end) - clock())

    def write(self, data: bytes) -> None:
        """Bring bytes to the board, and its answer on its way."""
        self._check()
        clock, trouble = self._bench.clock, self._bench.trouble
        clock.advance(len(data) * _BYTE_S)
        self._hear(self._bench.board.receive(self._damaged(data)))
        if trouble.restart_bytes is not None and self._passed >= trouble.restart_bytes:
            self._bench.trouble = NO_TROUBLE
            self._hear(self._bench.board.boot("brownout"))
        self._check()

    def close(self) -> None:
        """What has not come by now never will."""
        self._open = False

    def _check(self) -> None:
        limit = self._bench.trouble.cut_bytes
        if limit is not None and self._passed >= limit:
            self._open = False
        if not self._open:
            raise DisconnectedError("the cable was pulled", port=self.port)

    def _watch_over_board(self) -> None:
        """A watchdog restarts a board that has died, where it has one."""
        bench = self._bench
        if not bench.board.dead:
            return
        now = bench.clock()
        self._died_at = now if self._died_at is None else self._died_at
        if bench.trouble.reboots and now >= self._died_at + _WATCHDOG_S:
            self._died_at = None
            self._hear(bench.board.boot("task watchdog"))

    def _hear(self, data: bytes) -> None:
        if not data:
            return
        bench = self._bench
        come = self._damaged(data)
        for stretch in (come, come)[: 1 + (bench.rng.random() < bench.trouble.duplicate)]:
            late_s = bench.rng.random() * bench.trouble.delay_s
            before = self._coming[-1][0] if self._coming else 0.0
            due = max(before, bench.clock() + len(stretch) * _BYTE_S + late_s)
            self._coming.append((due, stretch))

    def _damaged(self, data: bytes) -> bytes:
        trouble, rng = self._bench.trouble, self._bench.rng
        self._passed += len(data)
        if trouble.silence_bytes is not None and self._passed >= trouble.silence_bytes:
            return b""
        hurt = bytearray(data)
        for at in _hits(rng, len(hurt), trouble.flip):
            hurt[at] ^= 1 << rng.randrange(8)
        for at in reversed(_hits(rng, len(hurt), trouble.drop)):
            del hurt[at]
        return bytes(hurt)


def _hits(rng: random.Random, count: int, probability: float) -> list[int]:
    """Places that something of small probability happens at, without a die for each byte."""
    found: list[int] = []
    at = -1
    while probability > 0.0:
        at += 1 + int(rng.expovariate(1.0) / probability)
        if at >= count:
            break
        found.append(at)
    return found


class MemoryLine(Line):
    """The way to a board in memory.

    Attributes:
        board: at the other end.
        clock: of everything.
        rng: of all troubles.
        trouble: what goes wrong from now on.
        opened: how often its port was opened.
    """

    def __init__(self, board: MemoryBoard, clock: ManualClock, rng: random.Random) -> None:
        self.board = board
        self.clock = clock
        self.rng = rng
        self.trouble = NO_TROUBLE
        self.opened = 0
        self._number = next(_NUMBERS)

    def suffer(self, trouble: Trouble) -> None:
        """Let something go wrong from now on."""
        self.trouble = trouble
        self.board.hurt(dies_after_nodes=trouble.dies_after_nodes, power_bytes=trouble.power_bytes)

    @property
    def identity(self) -> str:
        """Nobody else can mean this board."""
        return f"memory-{id(self)}-{self._number}"

    @property
    def port(self) -> str:
        """A name for messages."""
        return "memory"

    def open(self) -> None:
        """It is there."""

    def restart(self) -> bool:
        """Power off and on."""
        self.clock.advance(0.5)
        self.board.boot("poweron")
        return True

    def close(self) -> None:
        """It stays."""

    def transport(self, return_s: float = 0.0) -> Transport:
        """Plug the cable in again: what cut or silenced it is over."""
        del return_s
        self.opened += 1
        if self.opened > 1 and (self.trouble.cut_bytes, self.trouble.silence_bytes) != (None, None):
            self.trouble = NO_TROUBLE
        return Cable(self)
