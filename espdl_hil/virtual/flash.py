"""The flash chip of a virtual board: a file with the semantics of NOR flash.

The law of this file: erasing sets bits, programming only clears them. The file is shared with the
application process, which keeps its model store in a partition of it.
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path

import numpy as np

from espdl_hil.closing import Closing
from espdl_hil.errors import ConfigError

SECTOR_BYTES = 0x1000
_FILL_BYTES = 1 << 20


class FlashRangeError(ValueError):
    """An access beyond the chip, which real flash would wrap or ignore."""


class Flash(Closing):
    """A memory-mapped flash image.

    Args:
        path: the image; created erased (all ``0xFF``) where it does not exist.
        size_bytes: of the chip; a power of two.
        padded_bytes: the other size that the file may have, where an emulator wants a file as
            long as its own chip; what is beyond ``size_bytes`` is not used.

    Raises:
        ConfigError: the file exists with another size.
    """

    def __init__(self, path: Path, size_bytes: int, padded_bytes: int | None = None) -> None:
        self.path = path
        self.size_bytes = size_bytes
        if not path.exists():
            _create_erased(path, size_bytes)
        if path.stat().st_size not in (size_bytes, padded_bytes):
            raise ConfigError(
                f"flash image has {path.stat().st_size} bytes, not {size_bytes}",
                file=path,
                hint="delete it, or name another state folder",
            )
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size_bytes)

    @property
    def jedec_id(self) -> int:
        """What the read-id command (``0x9F``) answers: Winbond, size as a power of two."""
        return 0xEF | 0x40 << 8 | (self.size_bytes.bit_length() - 1) << 16

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``."""
        self.check(offset, size)
        return self._map[offset : offset + size]

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in ``data``; a bit that is already 0 stays 0."""
        self.check(offset, len(data))
        if not data:
            return
        view = np.frombuffer(self._map, np.uint8, len(data), offset)
        np.bitwise_and(view, np.frombuffer(data, np.uint8), out=view)

    def erase(self, offset: int, size: int) -> None:
        """Set every sector that the range touches to ``0xFF``."""
        self.check(offset, size)
        if size == 0:
            return
        first = offset // SECTOR_BYTES * SECTOR_BYTES
        last = -(-(offset + size) // SECTOR_BYTES) * SECTOR_BYTES
        np.frombuffer(self._map, np.uint8, last - first, first)[:] = 0xFF

    def md5(self, offset: int, size: int) -> bytes:
        """Return the MD5 digest of a range, as the loader's verify command does."""
        self.check(offset, size)
        with memoryview(self._map) as whole, whole[offset : offset + size] as part:
            return hashlib.md5(part, usedforsecurity=False).digest()

    def close(self) -> None:
        """Unmap the file; its content is already in the page cache."""
        self._map.close()

    def check(self, offset: int, size: int) -> None:
        """Raise unless the range is on the chip.

        Raises:
            FlashRangeError: it is not; every method that takes a range raises it.
        """
        if offset < 0 or size < 0 or offset + size > self.size_bytes:
            raise FlashRangeError(f"flash range {offset:#x}+{size:#x} of {self.size_bytes:#x}")


def _create_erased(path: Path, size_bytes: int) -> None:
    """Write an erased image beside its place and move it there, so that none is ever half."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for _ in range(size_bytes // _FILL_BYTES):
            file.write(b"\xff" * _FILL_BYTES)
    partial.replace(path)
