"""A virtual board as a process: booting, restarting, faults, and leaving nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from espdl_hil.errors import BoardBusyError, ConfigError
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec
from espdl_hil.virtual.loader_protocol import SYNC_FRAME
from tests.virtual.bench import (
    bundle_of,
    echoes,
    exists,
    opened,
    put_into_flash,
    wait_until_gone,
)

CHIP = chip_named("esp32s3")


@pytest.fixture
def state(tmp_path, echo):
    bundle = bundle_of(echo, CHIP, tmp_path / "bundle")
    put_into_flash(bundle, tmp_path / "board" / "flash.bin", CHIP.flash_bytes)
    return tmp_path / "board"


def start(state, *faults, **more):
    return VirtualBoard(VirtualBoardSpec(CHIP.name, state, faults=faults, **more))


def boot_text(port) -> str:
    """Ask for a restart and return what the board says until the application is up."""
    port.write(b"!exit64")
    return port.read_until(b"READY").decode()


def app_pid(text: str) -> int:
    return int(re.findall(r"pid (\d+)", text)[-1])


def talk_for_ever(port) -> None:
    while True:
        port.write(b"x" * 100)
        port.read_until(b"x" * 50)


def test_the_application_is_told_who_it_is(state, echo):
    with start(state, "once:x", "y:2") as board, opened(board.port) as port:
        assert echoes(port)
        text = boot_text(port)
    for words in [
        "--target esp32s3 --revision v0.2",
        f"--mac {board.mac}",
        f"--firmware-sha256 {echo.sha256}",
        "--version test-1",
        "--reset-reason software",
        f"--flash {state}/flash.bin",
        "--store-offset 4194304 --store-size 12582912",
        "--psram 8388608 --fault y:2",
    ]:
        assert words in text
    assert "once" not in text


@pytest.mark.parametrize(
    ("code", "reason"), [(64, "software"), (65, "brownout"), (66, "panic"), (1, "panic")]
)
def test_an_application_that_ends_starts_again_with_the_reason(state, code, reason):
    with start(state) as board, opened(board.port) as port:
        assert echoes(port)
        port.write(f"!exit{code}".encode())
        assert f"--reset-reason {reason}" in port.read_until(b"READY").decode()
        assert echoes(port)


def test_a_crash_at_start_repeats_with_its_panic_text(state):
    with start(state, "crash-at-start") as board, opened(board.port) as port:
        for _ in range(3):
            port.read_until(b"Guru Meditation")


def test_once_faults_end_with_the_first_restart(state):
    with start(state, "once:crash-at-start") as board, opened(board.port) as port:
        assert echoes(port)


def test_a_fault_that_the_firmware_does_not_know_ends_the_board(state):
    board = start(state, "unknown")
    try:
        assert board.process.wait(10) == ConfigError.exit_code
        assert "unknown" in board.last_words()
    finally:
        board.close()


def test_bytes_pass_unchanged_whatever_their_number(state):
    data = os.urandom(300_000)
    with start(state) as board, opened(board.port) as port:
        assert echoes(port)
        got = b""
        for begin in range(0, len(data), 30_000):
            piece = data[begin : begin + 30_000]
            port.write(piece[:3000])
            port.write(piece[3000:])
            got += port.read_until(piece[-20:])
        assert got == data


def test_a_hanging_application_can_still_be_flashed(state):
    with start(state) as board, opened(board.port) as port:
        assert echoes(port)
        port.write(b"!hang")
        port.write(SYNC_FRAME)
        assert port.read_until(b"\xc0\x01\x08")


def test_closing_the_port_in_the_loader_boots_even_if_it_is_opened_again_at_once(state):
    with start(state) as board:
        for _ in range(20):
            first = opened(board.port)
            with first as port:
                port.write(SYNC_FRAME)
                port.read_until(b"\xc0\x01\x08")
            with opened(board.port) as port:
                port.write(b"<first words>")
                port.read_until(b"<first words>")


def test_the_loader_lasts_while_any_client_has_the_port_open(state):
    with start(state) as board, opened(board.port) as first:
        first.write(SYNC_FRAME)
        first.read_until(b"\xc0\x01\x08")
        with opened(board.port):
            pass
        first.write(SYNC_FRAME)
        assert b"anyone" not in first.read_until(b"\xc0\x01\x08")


def test_a_cut_cable_ends_the_port_and_the_board(state):
    board = start(state, "cut:5000")
    try:
        with opened(board.port) as port, pytest.raises((EOFError, OSError)):
            talk_for_ever(port)
        assert board.process.wait(10) == 0
        assert not (state / "port").is_symlink()
    finally:
        board.close()


def test_flips_and_drops_reach_only_the_application(state):
    with start(state, "flip:0.5", "drop:0.2", seed=3) as board, opened(board.port) as port:
        port.write(b"\x00" * 2000)
        text = port.read_until(b"\x01")
        assert b"READY" not in text
        port.write(SYNC_FRAME)
        port.read_until(b"\xc0\x01\x08\x04\x00")


def test_a_line_rate_holds_the_bytes_back(state):
    with start(state, baud_limit=20_000) as board, opened(board.port) as port:
        assert echoes(port)
        begun_s = time.monotonic()
        port.write(b"y" * 999 + b"z")
        port.read_until(b"z")
        # 1000 bytes of ten bits, there and back; only the lower bound is certain.
        assert time.monotonic() - begun_s > 0.5


def test_only_one_process_owns_a_state_folder(state):
    with start(state), pytest.raises(BoardBusyError, match="another process"):
        start(state)
    with start(state):
        pass


def test_a_folder_keeps_its_mac_address_and_its_chip(state, tmp_path):
    with start(state) as board:
        mac = board.mac
        assert os.path.realpath(state / "port") == board.port
        assert json.loads((state / "board.json").read_text())["mac"] == mac
    with start(state) as board:
        assert board.mac == mac
    with VirtualBoard(VirtualBoardSpec(CHIP.name, tmp_path / "other")) as board:
        assert board.mac != mac
    with start(state, mac="02:00:00:00:00:05") as board:
        assert board.mac == "02:00:00:00:00:05"
    with start(state) as board:
        assert board.mac == "02:00:00:00:00:05"
    with pytest.raises(ConfigError, match="holds a virtual esp32s3"):
        VirtualBoard(VirtualBoardSpec("esp32p4", state))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chip", "esp99"),
        ("port", "usb"),
        ("mac", "1:2"),
        ("faults", ("drop",)),
        ("baud_limit", 0),
    ],
)
def test_wrong_options_are_named(tmp_path, field, value):
    options = {"chip": CHIP.name, "state": tmp_path / "board", field: value}
    with pytest.raises(ConfigError):
        VirtualBoard(VirtualBoardSpec(**options))


@pytest.mark.parametrize("way", ["close", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_nothing_is_left_however_a_board_ends(state, way):
    board = start(state)
    try:
        with opened(board.port) as port:
            assert echoes(port)
            application = app_pid(boot_text(port))
            port.write(b"!hang")
        assert exists(application)
        if way == "close":
            board.close()
        else:
            board.process.send_signal(signal.Signals[way])
        board.process.wait(10)
    finally:
        board.close()
    assert wait_until_gone(application)
    assert (state / "port").is_symlink() == (way == "SIGKILL")
    with start(state) as again, opened(again.port) as port:
        assert echoes(port)


OWNER = """
import sys
from pathlib import Path
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec
board = VirtualBoard(VirtualBoardSpec("esp32s3", Path(sys.argv[1])))
print(board.pid, flush=True)
sys.stdin.read()
"""


def test_a_board_ends_with_its_owner_even_if_that_is_killed(state):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdin
    assert owner.stdout
    try:
        pid = int(owner.stdout.readline())
        assert exists(pid)
    finally:
        owner.kill()
        owner.wait()
        owner.stdin.close()
        owner.stdout.close()
    assert wait_until_gone(pid)


def test_two_boards_live_side_by_side(state, tmp_path):
    with start(state) as one, VirtualBoard(VirtualBoardSpec("esp32", tmp_path / "two")) as two:
        assert one.port != two.port
        assert Path(one.port).exists()
        with opened(one.port) as port:
            assert echoes(port)
    assert not exists(one.pid)
    assert not exists(two.pid)
