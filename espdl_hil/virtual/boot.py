"""What a reset leads to: the boot chain from ROM to application, as a function of flash. No I/O.

The law of this file: nothing boots that a real chip would refuse; the refusal reads like the real
one. Source of the texts: ESP-IDF 5 boot log.
"""

from __future__ import annotations

from dataclasses import dataclass

from espdl_hil.virtual.chips import Chip
from espdl_hil.virtual.flash import Flash, FlashRangeError
from espdl_hil.virtual.image import MAGIC, Image, ImageError, read_image
from espdl_hil.virtual.partitions import (
    APP_KIND,
    FACTORY_SUBTYPE,
    TABLE_BYTES,
    TABLE_OFFSET,
    Partition,
    read_table,
)
from espdl_hil.virtual.payload import HostProgram, host_program

MODEL_PARTITION = "model"


@dataclass(frozen=True, slots=True)
class Bootable:
    """A complete boot chain: the program to start, where its model store is, the boot log."""

    program: HostProgram
    store_offset: int
    store_size: int
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotBootable:
    """The chip stays in its boot loader; the log says why."""

    log: tuple[str, ...]


def boot(chip: Chip, flash: Flash, machine: str) -> Bootable | NotBootable:
    """Follow the boot chain that stands in flash.

    Args:
        chip: whose images are accepted.
        flash: what is read.
        machine: what executes programs, as ``Cpu.machine`` names it.
    """
    try:
        loader = _read(flash, chip.bootloader_offset, TABLE_OFFSET - chip.bootloader_offset)
    except ImageError as error:
        first = flash.read(chip.bootloader_offset, 4)
        if first[0] != MAGIC:
            return NotBootable((f"invalid header: 0x{int.from_bytes(first, 'little'):08x}",))
        return NotBootable((f"E (0) boot loader: {error}", "ets_main.c 329"))
    if loader.chip_id != chip.chip_id:
        return NotBootable((_wrong_chip(chip, loader),))
    try:
        table = read_table(flash.read(TABLE_OFFSET, TABLE_BYTES))
    except ImageError as error:
        return NotBootable(
            (f"E (30) flash_parts: {error.what}", "E (30) boot: Failed to verify partition table")
        )
    return _boot_app(chip, flash, machine, table)


def _boot_app(
    chip: Chip, flash: Flash, machine: str, table: tuple[Partition, ...]
) -> Bootable | NotBootable:
    apps = [part for part in table if (part.kind, part.subtype) == (APP_KIND, FACTORY_SUBTYPE)]
    stores = [part for part in table if part.name == MODEL_PARTITION]
    if not apps or not stores:
        return NotBootable(("E (31) boot: No factory app or no model partition in the table",))
    app, store = apps[0], stores[0]
    refused = "E (50) boot: No bootable app partitions in the partition table"
    try:
        image = _read(flash, app.offset, app.size)
        if image.chip_id != chip.chip_id:
            return NotBootable((_wrong_chip(chip, image), refused))
        program = host_program(image)
        flash.check(store.offset, store.size)
    except (ImageError, FlashRangeError) as error:
        return NotBootable((f"E (40) esp_image: image at {app.offset:#x}: {error}", refused))
    if program.machine != machine:
        reason = f"the virtual firmware is for {program.machine}, this machine is {machine}"
        return NotBootable((f"E (40) esp_image: {reason}", refused))
    log = (
        f"I (40) boot: Loaded app from partition at offset {app.offset:#x}",
        f"I (41) app_init: App version: {program.version}",
        f"I (41) app_init: ELF file SHA256: {program.sha256[:9]}...",
    )
    return Bootable(program, store.offset, store.size, log)


def _read(flash: Flash, offset: int, size: int) -> Image:
    return read_image(flash.read(offset, size))


def _wrong_chip(chip: Chip, image: Image) -> str:
    return f"E (35) boot_comm: mismatch chip ID, expected {chip.chip_id}, found {image.chip_id}"
