"""The boot chain: what stands in flash boots, and nothing else does."""

from __future__ import annotations

import platform
import re

import pytest

from espdl_hil.virtual.boot import Bootable, NotBootable, boot
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.flash import Flash
from espdl_hil.virtual.partitions import TABLE_OFFSET, VIRTUAL_LAYOUT
from espdl_hil.virtual.payload import HostProgram
from tests.virtual.bench import bundle_of

CHIP = chip_named("esp32s3")
MACHINE = platform.machine()
PROGRAM = HostProgram(b"\x7fELF" + bytes(range(200)) * 50, MACHINE, "1.2.3")
APP_OFFSET = 0x10000


@pytest.fixture
def flash(tmp_path):
    with Flash(tmp_path / "flash.bin", CHIP.flash_bytes) as flash:
        for part in bundle_of(PROGRAM, CHIP, tmp_path / "bundle").parts:
            flash.program(part.offset, part.data)
        yield flash


def test_a_whole_chain_boots_with_its_model_partition(flash):
    result = boot(CHIP, flash, MACHINE)
    assert isinstance(result, Bootable)
    assert result.program == PROGRAM
    model = VIRTUAL_LAYOUT[-1]
    assert (result.store_offset, result.store_size) == (model.offset, model.size)


def test_an_erased_chip_says_what_a_real_one_says(tmp_path):
    with Flash(tmp_path / "empty.bin", CHIP.flash_bytes) as flash:
        assert boot(CHIP, flash, MACHINE) == NotBootable(("invalid header: 0xffffffff",))


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (CHIP.bootloader_offset + 40, "boot loader"),
        (TABLE_OFFSET + 4, "partition table"),
        (APP_OFFSET, "invalid|magic"),
        (APP_OFFSET + 20, "esp_image"),
        (APP_OFFSET + 0x80, "esp_image"),
        (APP_OFFSET + 0x1000, "esp_image"),
    ],
)
def test_a_cleared_bit_in_any_stage_stops_the_boot(flash, offset, text):
    place = next(n for n in range(offset, offset + 100) if flash.read(n, 1)[0])
    value = flash.read(place, 1)[0]
    flash.program(place, bytes([value & (value - 1)]))
    result = boot(CHIP, flash, MACHINE)
    assert isinstance(result, NotBootable)
    assert re.search(text, "\n".join(result.log))


def test_another_chips_firmware_is_refused_at_each_stage(flash, tmp_path):
    other = chip_named("esp32p4")
    parts = bundle_of(PROGRAM, other, tmp_path / "other").parts
    flash.erase(APP_OFFSET, len(parts[-1].data))
    flash.program(APP_OFFSET, parts[-1].data)
    result = boot(CHIP, flash, MACHINE)
    assert isinstance(result, NotBootable)
    assert "expected 9, found 18" in "\n".join(result.log)
    bootloader = next(part for part in parts if part.file == "bootloader.bin")
    flash.erase(CHIP.bootloader_offset, 0x1000)
    flash.program(CHIP.bootloader_offset, bootloader.data)
    result = boot(CHIP, flash, MACHINE)
    assert isinstance(result, NotBootable)
    assert len(result.log) == 1


def test_a_program_for_another_machine_is_refused(flash):
    result = boot(CHIP, flash, "pdp11")
    assert isinstance(result, NotBootable)
    assert "this machine is pdp11" in "\n".join(result.log)
