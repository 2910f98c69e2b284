"""The ESP application image: header, segments, checksum, hash, application descriptor. No I/O.

The law of this file: ``read_image(write_image(x))`` gives ``x`` back, and a flipped bit anywhere in
an image is an ``ImageError``.

Source: ESP-IDF documentation, "App Image Format"; ``esp_app_desc_t`` of ESP-IDF 5.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from espdl_hil.errors import FormatError
from espdl_hil.virtual.loader_protocol import xor_checksum

MAGIC = 0xE9
_HEADER = struct.Struct("<BBBBIB3sHBHH4sB")
_SEGMENT = struct.Struct("<II")
_MAX_SEGMENTS = 16
_MAX_SEGMENT_BYTES = 16 << 20
_ALIGN = 16
_SHA256_BYTES = 32
# DIO flash at 80 MHz on a module of 16 MiB; the write-protect pin is not used.
_SPI_MODE = 2
_SPI_SIZE_SPEED = 0x4F
_NO_PIN = 0xEE
_ANY_REVISION = 0xFFFF

_DESCRIPTOR = struct.Struct("<II8x32s32s16s16s32s32s80x")
_DESCRIPTOR_MAGIC = 0xABCD5432


class ImageError(FormatError):
    """What stands in flash is not an image, or not the one that was written."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes and the address at which the chip sees them; the size is a multiple of 4."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """An image for one chip: entry address and segments."""

    chip_id: int
    entry: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class AppDescriptor:
    """Who an application is; stands at the start of its first segment."""

    version: str
    project: str
    elf_sha256: str


def write_image(image: Image) -> bytes:
    """Return the image's bytes with checksum and SHA-256."""
    header = _HEADER.pack(
        MAGIC,
        len(image.segments),
        _SPI_MODE,
        _SPI_SIZE_SPEED,
        image.entry,
        _NO_PIN,
        bytes(3),
        image.chip_id,
        0,
        0,
        _ANY_REVISION,
        bytes(4),
        1,
    )
    parts = [header]
    for segment in image.segments:
        parts += [_SEGMENT.pack(segment.address, len(segment.data)), segment.data]
    body = b"".join(parts)
    body += bytes(_ALIGN - 1 - len(body) % _ALIGN)
    body += bytes([xor_checksum(b"".join(segment.data for segment in image.segments))])
    return body + hashlib.sha256(body).digest()


def read_image(data: bytes) -> Image:
    """Return the image that ``data`` starts with; what follows it is not looked at.

    Raises:
        ImageError: magic, sizes, checksum or hash are wrong; ``offset`` counts from the header.
    """
    if len(data) < _HEADER.size:
        raise ImageError("the image is cut", offset=len(data), field="header")
    magic, count, _, _, entry, _, _, chip_id, _, _, _, _, hashed = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ImageError(
            f"magic byte is {magic:#04x}, not {MAGIC:#04x} (nothing flashed here?)",
            offset=0,
            field="magic",
        )
    if not 1 <= count <= _MAX_SEGMENTS:
        raise ImageError(f"{count} segments", offset=1, field="segment count")
    if hashed != 1:
        raise ImageError("no SHA-256 appended", offset=_HEADER.size - 1, field="hash appended")
    offset = _HEADER.size
    segments = []
    for _ in range(count):
        segment = _read_segment(data, offset)
        segments.append(segment)
        offset += _SEGMENT.size + len(segment.data)
    end = (offset // _ALIGN + 1) * _ALIGN
    if len(data) < end + _SHA256_BYTES:
        raise ImageError("the image is cut", offset=len(data), field="hash")
    checksum = xor_checksum(b"".join(segment.data for segment in segments))
    if data[end - 1] != checksum:
        raise ImageError(
            f"checksum is {data[end - 1]:#04x}, calculated {checksum:#04x}",
            offset=end - 1,
            field="checksum",
        )
    if hashlib.sha256(data[:end]).digest() != data[end : end + _SHA256_BYTES]:
        raise ImageError("SHA-256 does not match", offset=end, field="hash")
    return Image(chip_id, entry, tuple(segments))


def write_descriptor(descriptor: AppDescriptor) -> bytes:
    """Return the 256 bytes of an application descriptor; without build time, so reproducible."""
    return _DESCRIPTOR.pack(
        _DESCRIPTOR_MAGIC,
        0,
        descriptor.version.encode()[:31],
        descriptor.project.encode()[:31],
        b"",
        b"",
        b"",
        bytes.fromhex(descriptor.elf_sha256),
    )


def read_descriptor(data: bytes) -> AppDescriptor:
    """Return the descriptor at the start of a first segment.

    Raises:
        ImageError: there is none.
    """
    if len(data) < _DESCRIPTOR.size:
        raise ImageError("the descriptor is cut", offset=len(data), field="app descriptor")
    magic, _, version, project, _, _, _, elf_sha256 = _DESCRIPTOR.unpack_from(data)
    if magic != _DESCRIPTOR_MAGIC:
        raise ImageError(f"descriptor magic is {magic:#010x}", offset=0, field="app descriptor")
    return AppDescriptor(_text(version), _text(project), elf_sha256.hex())


DESCRIPTOR_BYTES = _DESCRIPTOR.size


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _read_segment(data: bytes, offset: int) -> Segment:
    if len(data) < offset + _SEGMENT.size:
        raise ImageError("the image is cut", offset=len(data), field="segment header")
    address, size = _SEGMENT.unpack_from(data, offset)
    if size % 4 or size > _MAX_SEGMENT_BYTES:
        raise ImageError(f"segment of {size} bytes", offset=offset + 4, field="segment size")
    start = offset + _SEGMENT.size
    if len(data) < start + size:
        raise ImageError("the image is cut", offset=len(data), field="segment")
    return Segment(address, data[start : start + size])
