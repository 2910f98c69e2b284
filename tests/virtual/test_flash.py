"""A flash image behaves like NOR flash, and lasts in its file."""

from __future__ import annotations

import hashlib

import pytest

from espdl_hil.errors import ConfigError
from espdl_hil.virtual.flash import SECTOR_BYTES, Flash, FlashRangeError

SIZE = 1 << 20


def test_programming_only_clears_bits_and_erasing_sets_them(tmp_path):
    with Flash(tmp_path / "flash.bin", SIZE) as flash:
        assert flash.read(0, 4) == b"\xff" * 4
        flash.program(2, b"\xf0")
        flash.program(2, b"\x3c")
        assert flash.read(2, 1) == b"\x30"
        flash.erase(2, 1)
        assert flash.read(0, SECTOR_BYTES) == b"\xff" * SECTOR_BYTES


def test_erasing_takes_every_sector_that_the_range_touches_and_no_other(tmp_path):
    with Flash(tmp_path / "flash.bin", SIZE) as flash:
        flash.program(0, bytes(4 * SECTOR_BYTES))
        flash.erase(2 * SECTOR_BYTES - 1, 2)
        sectors = [flash.read(n * SECTOR_BYTES, SECTOR_BYTES)[0] for n in range(4)]
        assert sectors == [0, 0xFF, 0xFF, 0]
        flash.erase(0, 0)
        assert flash.read(0, 1) == b"\0"


def test_content_lasts_in_the_file(tmp_path):
    with Flash(tmp_path / "flash.bin", SIZE) as flash:
        flash.program(100, b"lasting")
    with Flash(tmp_path / "flash.bin", SIZE) as flash:
        assert flash.read(100, 7) == b"lasting"
        assert flash.md5(100, 7) == hashlib.md5(b"lasting").digest()


@pytest.mark.parametrize(("offset", "size"), [(SIZE, 1), (SIZE - 1, 2), (1 << 40, 0), (-1, 1)])
def test_a_range_beyond_the_chip_is_refused(tmp_path, offset, size):
    with Flash(tmp_path / "flash.bin", SIZE) as flash, pytest.raises(FlashRangeError):
        flash.read(offset, size)


def test_an_image_of_another_size_is_refused(tmp_path):
    (tmp_path / "flash.bin").write_bytes(b"short")
    with pytest.raises(ConfigError, match="5 bytes"):
        Flash(tmp_path / "flash.bin", SIZE)
