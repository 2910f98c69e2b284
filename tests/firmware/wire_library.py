"""The firmware's wire code through ctypes: frames, inflate, hashes, store, a board in memory."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64
from ctypes import c_void_p as handle
from dataclasses import dataclass

from tests.support.reference_engine import build

OK, HASH, INFLATE = 0, 8, 10
MEMORY, STATE, ARGUMENT, STORE = 4, 6, 7, 9
SECTOR = 4096

_out_size = POINTER(c_size_t)
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "wire_crc32": (c_uint32, [c_char_p, c_size_t]),
    "wire_adler32": (c_uint32, [c_char_p, c_size_t]),
    "wire_xxh64": (c_uint64, [c_char_p, c_size_t, c_uint64]),
    "wire_sha256": (None, [c_char_p, c_size_t, c_size_t, c_char_p]),
    "frames_new": (handle, []),
    "frames_free": (None, [handle]),
    "frames_feed": (c_size_t, [handle, c_char_p, c_size_t, POINTER(c_int)]),
    "frames_packet": (c_size_t, [handle, POINTER(c_uint8), POINTER(c_uint16), c_char_p]),
    "frames_dropped": (c_uint32, [handle]),
    "frame_seal": (c_size_t, [c_uint8, c_uint16, c_char_p, c_size_t, c_char_p]),
    "inflater_new": (handle, [c_uint32]),
    "inflater_free": (None, [handle]),
    "inflater_feed": (c_int, [handle, c_char_p, c_size_t]),
    "inflater_done": (c_int, [handle]),
    "inflater_what": (c_char_p, [handle]),
    "inflater_output": (handle, [handle, _out_size]),
    "board_new": (handle, []),
    "board_widen": (
        None,
        [handle, c_uint32, c_uint8, c_uint16, c_uint64, c_uint64, c_uint64],
    ),
    "board_now_ns": (c_uint64, [handle]),
    "board_free": (None, [handle]),
    "board_receive": (None, [handle, c_char_p, c_size_t]),
    "board_wait": (None, [handle, c_uint64]),
    "board_log": (None, [handle, c_int, c_char_p, c_size_t]),
    "board_take": (handle, [handle, _out_size]),
    "board_baud": (c_uint32, [handle]),
    "board_reboots": (c_uint32, [handle]),
    "board_runs": (c_uint32, [handle]),
    "board_resets": (c_uint32, [handle]),
    "board_flash": (handle, [handle, _out_size]),
    "board_server_size": (c_size_t, []),
}


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library, built once per session."""
    lib = ctypes.CDLL(str(build("wire", "libhil_wire.so")))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


def sha256(data: bytes, piece: int) -> bytes:
    digest = ctypes.create_string_buffer(32)
    library().wire_sha256(data, len(data), piece, digest)
    return digest.raw


@dataclass(frozen=True)
class Packet:
    type: int
    seq: int
    body: bytes


def seal(packet: Packet) -> bytes:
    frame = ctypes.create_string_buffer(5000)
    size = library().frame_seal(packet.type, packet.seq, packet.body, len(packet.body), frame)
    return frame.raw[:size]


class Frames:
    """The incremental decoder."""

    def __init__(self) -> None:
        self._frames = library().frames_new()

    def __del__(self) -> None:
        library().frames_free(self._frames)

    def feed(self, data: bytes) -> list[Packet]:
        packets = []
        found = c_int()
        while data:
            taken = library().frames_feed(self._frames, data, len(data), byref(found))
            data = data[taken:]
            if found.value:
                packets.append(self._packet())
            else:
                assert not data, "the decoder stopped early"
        return packets

    def _packet(self) -> Packet:
        kind, seq, body = c_uint8(), c_uint16(), ctypes.create_string_buffer(5000)
        size = library().frames_packet(self._frames, byref(kind), byref(seq), body)
        return Packet(kind.value, seq.value, body.raw[:size])

    @property
    def dropped(self) -> int:
        return int(library().frames_dropped(self._frames))


@dataclass(frozen=True)
class Inflated:
    status: int
    done: bool
    plain: bytes
    what: str


def inflate(pieces: list[bytes], promised: int) -> Inflated:
    """Feed the pieces; the status is that of the last one."""
    lib = library()
    inflater = lib.inflater_new(promised)
    try:
        status = OK
        for piece in pieces:
            status = lib.inflater_feed(inflater, piece, len(piece))
        size = c_size_t()
        at = lib.inflater_output(inflater, byref(size))
        plain = ctypes.string_at(at, size.value) if size.value else b""
        what = lib.inflater_what(inflater) or b""
        return Inflated(status, bool(lib.inflater_done(inflater)), plain, what.decode())
    finally:
        lib.inflater_free(inflater)


class Board:
    """The whole server with a toy engine; time moves only by ``wait`` and the toy's nodes."""

    def __init__(self) -> None:
        self._board = library().board_new()

    def __del__(self) -> None:
        library().board_free(self._board)

    def receive(self, data: bytes) -> bytes:
        """Give it bytes; return what it wrote."""
        library().board_receive(self._board, data, len(data))
        return self.take()

    def widen(
        self,
        sectors: int,
        *,
        window: int,
        chunk: int = 4096,
        page_s: float = 0.0,
        sector_s: float = 0.0,
        block_s: float = 0.0,
    ) -> None:
        """Give it a store of this size on flash that takes so long; before anything else.

        Args:
            sectors: of 4 KiB.
            window: requests in flight.
            chunk: bytes in a piece of a transfer.
            page_s: to write 256 bytes.
            sector_s: to erase a sector.
            block_s: to erase 64 KiB at once.
        """
        times = (int(one * 1e9) for one in (page_s, sector_s, block_s))
        library().board_widen(self._board, sectors, window, chunk, *times)

    @property
    def now_s(self) -> float:
        """The board's own time."""
        return int(library().board_now_ns(self._board)) / 1e9

    def take(self) -> bytes:
        size = c_size_t()
        at = library().board_take(self._board, byref(size))
        return ctypes.string_at(at, size.value) if size.value else b""

    def wait(self, seconds: float) -> None:
        library().board_wait(self._board, int(seconds * 1e9))

    def log(self, level: int, text: bytes) -> None:
        library().board_log(self._board, level, text, len(text))

    @property
    def baud(self) -> int:
        return int(library().board_baud(self._board))

    @property
    def reboots(self) -> int:
        return int(library().board_reboots(self._board))

    @property
    def runs(self) -> int:
        return int(library().board_runs(self._board))

    @property
    def resets(self) -> int:
        return int(library().board_resets(self._board))

    @contextmanager
    def flash(self) -> Iterator[ctypes.Array[ctypes.c_uint8]]:
        """The flash under the store, to spoil."""
        size = c_size_t()
        at = library().board_flash(self._board, byref(size))
        yield (c_uint8 * size.value).from_address(at)
