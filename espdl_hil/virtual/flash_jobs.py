"""The loader's jobs that span several commands: writing flash, reading flash, loading RAM. No I/O.

The law of this file: a command that is repeated because its answer was lost does no harm.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

from espdl_hil.virtual.flash import Flash
from espdl_hil.virtual.loader_protocol import Failure, RefusedError

_MAX_READ_BLOCK = 0x4000


class _Sequence:
    """Counts blocks: accepts the next one, knows a repetition of the last one."""

    def __init__(self) -> None:
        self._next = 0

    def is_new(self, number: int) -> bool:
        """Tell a new block from a repeated one.

        Raises:
            RefusedError: neither.
        """
        if number == self._next:
            self._next += 1
            return True
        if number == self._next - 1:
            return False
        raise RefusedError(Failure.FAILED_TO_ACT)


class FlashWrite:
    """One write to flash, plain or deflated; the range is erased when it begins.

    Real stubs erase while they write; the result is the same.
    """

    def __init__(self, flash: Flash, offset: int, size: int, *, deflated: bool) -> None:
        self._flash = flash
        self._offset = offset
        self._left = size
        self._inflate = zlib.decompressobj() if deflated else None
        self._sequence = _Sequence()
        self.deflated = deflated
        flash.erase(offset, size)

    def write(self, number: int, payload: bytes) -> None:
        """Program one block; a plain block may be padded beyond the end with ``0xFF``.

        Raises:
            RefusedError: out of order, not deflate, or more than was announced.
        """
        if not self._sequence.is_new(number):
            return
        data = payload if self._inflate is None else self._inflated(payload)
        if self._inflate is None and len(data) > self._left:
            if data[self._left :].strip(b"\xff"):
                raise RefusedError(Failure.TOO_MUCH_DATA)
            data = data[: self._left]
        self._flash.program(self._offset, data)
        self._offset += len(data)
        self._left -= len(data)

    def finish(self) -> None:
        """End a deflated write.

        Raises:
            RefusedError: the stream is not complete.
        """
        if self._inflate is not None and not self._inflate.eof:
            raise RefusedError(Failure.NOT_ENOUGH_DATA)

    def _inflated(self, payload: bytes) -> bytes:
        assert self._inflate is not None
        try:
            # One byte more than fits tells an overlong stream, and no stream can fill the memory.
            data = self._inflate.decompress(payload, self._left + 1)
        except zlib.error as error:
            raise RefusedError(Failure.INFLATE) from error
        if len(data) > self._left:
            raise RefusedError(Failure.TOO_MUCH_DATA)
        return data


class FlashRead:
    """One read from flash: blocks with a window of acknowledgements, then the MD5 digest."""

    def __init__(self, flash: Flash, offset: int, size: int, block: int, window: int) -> None:
        if not 0 < block <= _MAX_READ_BLOCK or window < 1:
            raise RefusedError(Failure.FLASH_READ_LENGTH)
        self._data = flash.read(offset, size)
        self._block = block
        self._window_bytes = window * block
        self._sent = 0
        self._acknowledged = 0
        self.done = False

    def acknowledge(self, received: int) -> None:
        """Note how many bytes the host has in all."""
        self._acknowledged = max(self._acknowledged, min(received, self._sent))

    def frames(self) -> Iterator[bytes]:
        """Yield the payloads that the window allows now, at the end the digest."""
        while self._sent < len(self._data):
            if self._sent - self._acknowledged >= self._window_bytes:
                return
            piece = self._data[self._sent : self._sent + self._block]
            self._sent += len(piece)
            yield piece
        if self._acknowledged == len(self._data) and not self.done:
            self.done = True
            yield hashlib.md5(self._data, usedforsecurity=False).digest()


class RamLoad:
    """What was loaded to RAM: only ranges are kept, since a virtual chip cannot run the code."""

    def __init__(self) -> None:
        self._ranges: list[range] = []
        self._left = 0
        self._sequence = _Sequence()

    def begin(self, size: int, address: int) -> None:
        """Announce a segment."""
        self._ranges.append(range(address, address + size))
        self._left = size
        self._sequence = _Sequence()

    def write(self, number: int, payload: bytes) -> None:
        """Take one block of the announced segment.

        Raises:
            RefusedError: nothing announced, out of order or too much.
        """
        if not self._sequence.is_new(number):
            return
        if len(payload) > self._left:
            raise RefusedError(Failure.TOO_MUCH_DATA)
        self._left -= len(payload)

    def can_run(self, entry: int) -> bool:
        """Tell whether the entry point lies in complete loaded code."""
        return self._left == 0 and any(entry in loaded for loaded in self._ranges)
