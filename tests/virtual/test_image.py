"""Images, partition tables and payloads: what is written is read, and damage is found."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.virtual.chips import VIRTUAL_CHIPS, chip_named
from espdl_hil.virtual.image import Image, ImageError, Segment, read_image, write_image
from espdl_hil.virtual.partitions import VIRTUAL_LAYOUT, read_table, write_table
from espdl_hil.virtual.payload import HostProgram, app_image, bootloader_image, host_program

ADDRESS = st.integers(0, 2**32 - 1)
SEGMENTS = st.lists(
    st.builds(Segment, ADDRESS, st.binary(max_size=25).map(lambda data: data * 4)),
    min_size=1,
    max_size=5,
)
IMAGES = st.builds(Image, st.integers(0, 0xFFFF), ADDRESS, SEGMENTS.map(tuple))
PROGRAM = HostProgram(b"\x7fELF" + bytes(range(101)), "x86_64", "1.2.3")


@given(IMAGES, st.binary(max_size=20))
def test_what_is_written_is_read_whatever_follows(image, rest):
    raw = write_image(image)
    assert read_image(raw + rest) == image
    assert (len(raw) - 32) % 16 == 0


@given(IMAGES, st.data())
def test_every_flipped_bit_is_found(image, data):
    raw = bytearray(write_image(image))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ImageError):
        read_image(bytes(raw))


@given(IMAGES, st.data())
def test_every_cut_image_is_found(image, data):
    raw = write_image(image)
    with pytest.raises(ImageError):
        read_image(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=200))
def test_garbage_is_no_image_and_no_table(raw):
    with pytest.raises(ImageError):
        read_image(raw)
    with pytest.raises(ImageError):
        read_table(raw)


@given(st.data())
def test_the_partition_table_is_read_and_damage_to_it_is_found(data):
    raw = bytearray(write_table(VIRTUAL_LAYOUT))
    assert read_table(bytes(raw)) == VIRTUAL_LAYOUT
    used = 32 * (len(VIRTUAL_LAYOUT) + 1)
    bit = data.draw(st.integers(0, 8 * used - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ImageError):
        read_table(bytes(raw))


def test_partitions_lie_in_order_without_overlap():
    end = 0x9000
    for partition in VIRTUAL_LAYOUT:
        assert partition.offset >= end
        end = partition.offset + partition.size
    assert end <= min(chip.flash_bytes for chip in VIRTUAL_CHIPS)


def test_the_program_comes_out_as_it_went_in_and_its_hash_stands_where_idf_has_it():
    raw = write_image(app_image(PROGRAM, 9, 0x3C000020))
    assert host_program(read_image(raw)) == PROGRAM
    assert raw[0xB0:0xD0] == hashlib.sha256(PROGRAM.elf).digest()


def test_firmware_of_a_real_board_is_named_as_such():
    image = app_image(PROGRAM, 9, 0x3C000020)
    data = image.segments[0].data
    foreign = Image(9, 0, (Segment(0, data[:256] + b"real code..." + data[268:]),))
    with pytest.raises(ImageError, match="real board"):
        host_program(foreign)


@pytest.mark.parametrize("name", ["esp32", "esp32s3", "esp32p4"])
def test_esptool_finds_the_images_valid(tmp_path, name):
    chip = chip_named(name)
    images = {
        "app": app_image(PROGRAM, chip.chip_id, chip.app_address),
        "bootloader": bootloader_image(chip.chip_id, chip.bootloader_address),
    }
    for stem, image in images.items():
        path = tmp_path / f"{stem}.bin"
        path.write_bytes(write_image(image))
        done = subprocess.run(
            [sys.executable, "-m", "esptool", "--chip", name, "image-info", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("(valid)") == 2, done.stdout
