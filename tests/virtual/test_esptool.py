"""The unmodified esptool program against virtual boards."""

from __future__ import annotations

import random

import pytest

from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec
from tests.virtual.bench import CHIPS, bundle_of, echoes, esptool, opened

QUIET = ("--before", "no-reset", "--after", "no-reset")
NAMES = {"esp32": "ESP32-D0WDQ6-V3", "esp32s3": "ESP32-S3", "esp32p4": "ESP32-P4"}


@pytest.fixture
def board(request, tmp_path):
    with VirtualBoard(VirtualBoardSpec(request.param, tmp_path / "board")) as board:
        yield board


def on_chips(*names):
    return pytest.mark.parametrize("board", names, indirect=True)


@on_chips(*CHIPS)
def test_a_chip_is_detected_with_revision_mac_and_flash_size(board):
    chip = chip_named(board.spec.chip)
    said = esptool(board.port, *QUIET, "flash-id")
    assert f"{NAMES[chip.name]}" in said
    assert f"revision {chip.revision}" in said
    assert f"MAC:                {board.mac}" in said
    assert "Detected flash size: 16MB" in said


@on_chips(*CHIPS)
@pytest.mark.parametrize("loader", ["stub", "--no-stub"])
def test_what_is_written_is_verified_read_back_and_erased(board, tmp_path, loader):
    chip = ("--chip", board.spec.chip, "--baud", "921600", *QUIET)
    chip += () if loader == "stub" else (loader,)
    rng = random.Random(loader + board.spec.chip)
    # Random bytes do not shrink, so esptool sends them plain; the others it deflates.
    contents = {0x110000: bytes(rng.choices(b"ab", k=50_000)), 0x120000: rng.randbytes(20_000)}
    words = []
    for offset, content in contents.items():
        path = tmp_path / f"{offset:x}.bin"
        path.write_bytes(content)
        words += [hex(offset), str(path)]
    said = esptool(board.port, *chip, "write-flash", *words)
    assert said.count("Hash of data verified") == 2
    out = tmp_path / "read.bin"
    if loader == "stub":
        assert "compressed) at 0x00110000" in said
        assert "will flash uncompressed" in said
        esptool(board.port, *chip, "verify-flash", *words)
        esptool(board.port, *chip, "read-flash", "0x110000", "0x20000", str(out))
        image = out.read_bytes()
        esptool(board.port, *chip, "erase-region", "0x111000", "0x1000")
        flash = (tmp_path / "board" / "flash.bin").read_bytes()
        assert flash[0x111000:0x112000] == b"\xff" * 0x1000
        assert flash[0x110000:0x111000] == contents[0x110000][:0x1000]
    else:
        esptool(board.port, *chip, "read-flash", "0x11ff00", "0x200", str(out))
        image = (tmp_path / "board" / "flash.bin").read_bytes()[0x110000:0x130000]
        assert out.read_bytes() == image[0xFF00:0x10100]
    for offset, content in contents.items():
        assert image[offset - 0x110000 :].startswith(content)


@on_chips("esp32s3")
def test_the_whole_chip_can_be_erased(board, tmp_path):
    path = tmp_path / "some.bin"
    path.write_bytes(b"something")
    esptool(board.port, *QUIET, "write-flash", "0x5000", str(path))
    esptool(board.port, *QUIET, "erase-flash")
    flash = (tmp_path / "board" / "flash.bin").read_bytes()
    assert flash == b"\xff" * len(flash)


@on_chips("esp32p4")
def test_default_resets_warn_on_a_terminal_and_still_work(board):
    said = esptool(board.port, "--after", "watchdog-reset", "read-mac")
    assert "was NOT reset" in said
    assert board.mac in said


@on_chips(*CHIPS)
def test_the_flashed_application_boots_and_corrupt_flash_does_not(board, tmp_path, echo):
    chip = chip_named(board.spec.chip)
    bundle = bundle_of(echo, chip, tmp_path / "bundle")
    words = [word for part in bundle.parts for word in (hex(part.offset), part.file)]
    words = [word if word.startswith("0x") else str(bundle.source / word) for word in words]
    esptool(board.port, *QUIET, "write-flash", *words)
    with opened(board.port) as port:
        assert echoes(port)
    zeros = tmp_path / "zeros.bin"
    zeros.write_bytes(bytes(16))
    esptool(board.port, *QUIET, "write-flash", "0x11000", str(zeros))
    with opened(board.port) as port:
        # The boot loop repeats its message.
        said = port.read_until(b"No bootable app").decode()
        assert "esp_image" in said
        assert "READY" not in said + port.read_until(b"No bootable app").decode()
    esptool(board.port, *QUIET, "write-flash", *words)
    with opened(board.port) as port:
        assert echoes(port)


@on_chips("esp32s3")
def test_esptool_refuses_another_chips_firmware(board, tmp_path, echo):
    bundle = bundle_of(echo, chip_named("esp32p4"), tmp_path / "bundle")
    loader = bundle.source / "bootloader.bin"
    said = esptool(board.port, *QUIET, "write-flash", "0x0", str(loader), code=2)
    assert "ESP32-S3" in said
    said = esptool(board.port, "--chip", "esp32p4", *QUIET, "read-mac", code=2)
    assert "This chip is ESP32-S3, not ESP32-P4" in said


def test_reset_lines_over_rfc2217_enter_the_loader_and_boot(tmp_path, echo):
    # Slow (several seconds): pyserial negotiates all settings anew for each of esptool's commands.
    spec = VirtualBoardSpec("esp32p4", tmp_path / "board", port="rfc2217")
    with VirtualBoard(spec) as board:
        said = esptool(board.port, "--no-stub", "read-mac")
    assert board.mac in said
    assert "Hard resetting" in said
