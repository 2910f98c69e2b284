"""SLIP framing (RFC 1055) as the ROM loader speaks it. This file does no I/O.

The law of this file: any bytes may arrive in any cut; a damaged frame is dropped and the next good
one is found.
"""

from __future__ import annotations

_END = b"\xc0"
_ESCAPE = b"\xdb"
_ESCAPED_END = b"\xdb\xdc"
_ESCAPED_ESCAPE = b"\xdb\xdd"

MAX_FRAME_BYTES = 0x10000
"""Longest frame kept, still escaped: four times the largest block that esptool sends."""


def encode_frame(payload: bytes) -> bytes:
    """Return ``payload`` as one frame with its two delimiters."""
    body = payload.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END)
    return _END + body + _END


class SlipDecoder:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._overflow = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the frames that they complete.

        Text between two frames comes back as a frame too: it has no header that a loader would
        accept. Frames with a wrong escape, empty ones and overlong ones are dropped.
        """
        frames: list[bytes] = []
        pieces = data.split(_END)
        for index, piece in enumerate(pieces):
            if index:
                self._close(frames)
            self._append(piece)
        return frames

    def _append(self, piece: bytes) -> None:
        if len(self._partial) + len(piece) > MAX_FRAME_BYTES:
            self._overflow = True
            self._partial.clear()
        if not self._overflow:
            self._partial += piece

    def _close(self, frames: list[bytes]) -> None:
        body = bytes(self._partial)
        overflow = self._overflow
        self._partial.clear()
        self._overflow = False
        if overflow or not body:
            return
        escapes = body.count(_ESCAPED_END) + body.count(_ESCAPED_ESCAPE)
        if body.count(_ESCAPE) != escapes:
            return
        frames.append(body.replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE))
