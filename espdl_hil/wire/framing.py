"""Frames on a byte line: ``00``, the COBS encoding of a packet with its CRC-32, ``00``.

The law of this file: whatever arrives, in whatever pieces, becomes frames and noise. Nothing here
raises on bytes from the line, and how the line cuts them changes nothing.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

MAGIC = 0xE5
MAX_BODY_BYTES = 4096 + 64
"""Largest body of a packet: one chunk of data and the fields around it."""

_HEAD = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_MIN_PACKET_BYTES = _HEAD.size + _CRC.size
MAX_PACKET_BYTES = _MIN_PACKET_BYTES + MAX_BODY_BYTES
MAX_CODED_BYTES = MAX_PACKET_BYTES + MAX_PACKET_BYTES // 254 + 1
"""Largest COBS encoding of a packet; a longer run without a zero byte cannot be a frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet that passed its CRC, still without meaning."""

    type: int
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes between frames that are no packet: boot messages, panic text, half a frame."""

    data: bytes


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of ``frame`` on the line, with both zero bytes."""
    packet = _HEAD.pack(MAGIC, frame.type, frame.seq) + frame.body
    coded: bytes = cobs.encode(packet + _CRC.pack(zlib.crc32(packet)))
    return b"\0" + coded + b"\0"


def decode_packet(coded: bytes) -> Frame | None:
    """Return the frame whose COBS encoding is ``coded``, or ``None`` where it is none."""
    if len(coded) > MAX_CODED_BYTES:
        return None
    try:
        packet: bytes = cobs.decode(coded)
    except cobs.DecodeError:
        return None
    if not _MIN_PACKET_BYTES <= len(packet) <= MAX_PACKET_BYTES or packet[0] != MAGIC:
        return None
    covered = packet[: -_CRC.size]
    if _CRC.unpack(packet[-_CRC.size :])[0] != zlib.crc32(covered):
        return None
    _, kind, seq = _HEAD.unpack_from(covered)
    return Frame(kind, seq, covered[_HEAD.size :])


class FrameDecoder:
    """Cuts a stream of bytes into frames and noise; holds at most one frame's worth of bytes."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """Return what ``data`` completes, in the order of the line."""
        found: list[Frame | Noise] = []
        pieces = data.split(b"\0")
        for piece in pieces[:-1]:
            self._take(piece, found)
            self._close(found)
        self._take(pieces[-1], found)
        return found

    def flush(self) -> Noise | None:
        """Return the bytes held back as noise: after a disconnect no zero byte will end them."""
        held = bytes(self._pending)
        self._pending.clear()
        return Noise(held) if held else None

    def _take(self, piece: bytes, found: list[Frame | Noise]) -> None:
        self._pending += piece
        if len(self._pending) > MAX_CODED_BYTES:
            # No frame is that long: hand the bytes on as noise instead of hoarding them, and
            # remember that what follows up to the next zero byte is the rest of the same run.
            self._overlong = True
        if self._overlong and self._pending:
            found.append(Noise(bytes(self._pending)))
            self._pending.clear()

    def _close(self, found: list[Frame | Noise]) -> None:
        coded = bytes(self._pending)
        self._pending.clear()
        if self._overlong or not coded:
            self._overlong = False
            return
        frame = decode_packet(coded)
        found.append(Noise(coded) if frame is None else frame)
