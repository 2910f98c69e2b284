"""How a host program rides in an ESP image: descriptor, a small header, the ELF. No I/O.

The law of this file: what is taken out is byte for byte what was put in; its SHA-256 is the
application's identity, as ``app_elf_sha256`` is on a real board.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from espdl_hil.virtual.image import (
    DESCRIPTOR_BYTES,
    AppDescriptor,
    Image,
    ImageError,
    Segment,
    read_descriptor,
    write_descriptor,
)

_HEADER = struct.Struct("<8s24sI28x")
_MAGIC = b"HILHOST1"
_BOOTLOADER_TEXT = b"espdl-hil virtual boot loader"
PROJECT = "espdl-hil-runner"


@dataclass(frozen=True, slots=True)
class HostProgram:
    """A program for this kind of machine, and who it is."""

    elf: bytes
    machine: str
    version: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the ELF, hexadecimal."""
        return hashlib.sha256(self.elf).hexdigest()


def app_image(program: HostProgram, chip_id: int, address: int) -> Image:
    """Return an application image that carries the program in its first segment."""
    descriptor = write_descriptor(AppDescriptor(program.version, PROJECT, program.sha256))
    header = _HEADER.pack(_MAGIC, program.machine.encode(), len(program.elf))
    data = descriptor + header + program.elf
    data += bytes(-len(data) % 4)
    return Image(chip_id, address, (Segment(address, data),))


def bootloader_image(chip_id: int, address: int) -> Image:
    """Return a boot loader image: right in form, with nothing to execute."""
    data = _BOOTLOADER_TEXT + bytes(-len(_BOOTLOADER_TEXT) % 4)
    return Image(chip_id, address, (Segment(address, data),))


def host_program(image: Image) -> HostProgram:
    """Return the program that an application image carries.

    Raises:
        ImageError: it carries none (firmware of a real board), or not the one it names.
    """
    data = image.segments[0].data
    descriptor = read_descriptor(data)
    start = DESCRIPTOR_BYTES + _HEADER.size
    if len(data) < start:
        raise ImageError("no host program inside", offset=len(data), field="host program")
    magic, machine, size = _HEADER.unpack_from(data, DESCRIPTOR_BYTES)
    if magic != _MAGIC or len(data) < start + size:
        raise ImageError(
            "no host program inside: this is firmware of a real board",
            offset=DESCRIPTOR_BYTES,
            field="host program",
        )
    name = machine.split(b"\0", 1)[0].decode("ascii", "replace")
    program = HostProgram(data[start : start + size], name, descriptor.version)
    if program.sha256 != descriptor.elf_sha256:
        raise ImageError(
            "the program is not the one that the descriptor names",
            offset=0,
            field="app descriptor",
        )
    return program
