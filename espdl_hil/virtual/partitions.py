"""The partition table: entries, their MD5, and the layout of a virtual board. No I/O.

Source: ESP-IDF documentation, "Partition Tables".
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from espdl_hil.virtual.image import ImageError

TABLE_OFFSET = 0x8000
TABLE_BYTES = 0xC00
_ENTRY = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC = 0x50AA
_MD5_MARK = b"\xeb\xeb" + b"\xff" * 14
_END = b"\xff" * _ENTRY.size


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry: name, type (0 app, 1 data), subtype, place in flash in bytes."""

    name: str
    kind: int
    subtype: int
    offset: int
    size: int


APP_KIND = 0
DATA_KIND = 1
FACTORY_SUBTYPE = 0
MODEL_SUBTYPE = 0x40
"""First subtype that ESP-IDF leaves to applications."""

VIRTUAL_LAYOUT = (
    Partition("nvs", DATA_KIND, 0x02, 0x9000, 0x6000),
    Partition("phy_init", DATA_KIND, 0x01, 0xF000, 0x1000),
    Partition("factory", APP_KIND, FACTORY_SUBTYPE, 0x10000, 0x3F0000),
    Partition("model", DATA_KIND, MODEL_SUBTYPE, 0x400000, 0xC00000),
)
"""16 MiB of flash: 4 MiB up to the end of the application, 12 MiB of models."""


def write_table(partitions: tuple[Partition, ...]) -> bytes:
    """Return the table with its MD5, padded with ``0xFF`` to ``TABLE_BYTES``."""
    entries = b"".join(
        _ENTRY.pack(
            _ENTRY_MAGIC,
            partition.kind,
            partition.subtype,
            partition.offset,
            partition.size,
            partition.name.encode(),
            0,
        )
        for partition in partitions
    )
    digest = hashlib.md5(entries, usedforsecurity=False).digest()
    return (entries + _MD5_MARK + digest).ljust(TABLE_BYTES, b"\xff")


def read_table(data: bytes) -> tuple[Partition, ...]:
    """Return the entries of a table.

    Raises:
        ImageError: an entry has no magic, or the MD5 is missing or wrong.
    """
    partitions: list[Partition] = []
    for offset in range(0, min(len(data), TABLE_BYTES), _ENTRY.size):
        raw = data[offset : offset + _ENTRY.size]
        if raw[:16] == _MD5_MARK:
            if hashlib.md5(data[:offset], usedforsecurity=False).digest() != raw[16:]:
                raise ImageError("MD5 does not match", offset=offset, field="partition table")
            return tuple(partitions)
        if len(raw) < _ENTRY.size or raw == _END:
            break
        magic, kind, subtype, place, size, name, _ = _ENTRY.unpack(raw)
        if magic != _ENTRY_MAGIC:
            raise ImageError(
                f"partition {len(partitions)} invalid magic number {magic:#06x}",
                offset=offset,
                field="partition table",
            )
        text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
        partitions.append(Partition(text, kind, subtype, place, size))
    raise ImageError("no MD5 entry", offset=0, field="partition table")
