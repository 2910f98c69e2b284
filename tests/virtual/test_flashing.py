"""Flashing bundles through the esptool program: reports, errors, and an end to every child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest

from espdl_hil.boards.firmware import read_bundle
from espdl_hil.boards.flashing import FlashOptions, FlashProgress, ResetStrategy, flash
from espdl_hil.boards.link import Link
from espdl_hil.errors import FlashError
from espdl_hil.transport.serial import SerialTransport
from espdl_hil.virtual.bundle import ensure_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec
from espdl_hil.wire import Conversation, board_identity
from tests.virtual.bench import CHIPS, bundle_of, echoes, exists, opened, wait_until_gone

FILES = ("bootloader.bin", "partition-table.bin", "app.bin")


@pytest.fixture
def board(tmp_path):
    with VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "board")) as board:
        yield board


@pytest.fixture
def bundle(tmp_path, echo):
    return bundle_of(echo, chip_named("esp32s3"), tmp_path / "bundle")


def test_a_second_time_nothing_is_written(board, bundle):
    seen = []
    first = flash(board.port, bundle, progress=seen.append)
    assert (first.written, first.skipped) == (FILES, ())
    assert first.mac == board.mac
    assert first.chip.startswith("ESP32-S3")
    assert {step.file for step in seen} == set(FILES)
    assert max(step.fraction for step in seen) == 1.0
    second = flash(board.port, bundle)
    assert (second.written, second.skipped) == ((), FILES)
    third = flash(board.port, bundle, FlashOptions(skip_flashed=False, stub=False))
    assert third.written == FILES
    with opened(board.port) as port:
        assert echoes(port)


def test_another_chip_is_named_and_its_flash_left_alone(board, tmp_path, echo):
    bundle = bundle_of(echo, chip_named("esp32p4"), tmp_path / "bundle")
    with pytest.raises(FlashError, match="the chip is ESP32-S3, the firmware is for esp32p4"):
        flash(board.port, bundle)
    content = (tmp_path / "board" / "flash.bin").read_bytes()
    assert content == b"\xff" * len(content)


def test_a_port_that_is_not_there_or_in_use_is_named(board, bundle, tmp_path):
    with pytest.raises(FlashError, match="does nothing else"):
        flash(str(tmp_path / "nothing"), bundle)
    line = SerialTransport(board.port)
    try:
        with pytest.raises(FlashError, match="does nothing else"):
            flash(board.port, bundle)
    finally:
        line.close()


def test_a_board_that_never_answers_meets_the_deadline_and_leaves_no_child(bundle, tmp_path):
    master, slave = os.openpty()
    try:
        options = FlashOptions(deadline_s=2.0)
        with pytest.raises(FlashError, match=r"2 s|Failed to connect"):
            flash(os.ttyname(slave), bundle, options)
    finally:
        os.close(master)
        os.close(slave)
    assert not _children(os.getpid())


@pytest.fixture
def impatient(tmp_path, monkeypatch):
    """Let esptool give up soon: by itself it waits 3 s, and has tries of its own."""
    settings = tmp_path / "impatient.cfg"
    patience = "timeout = 1\nerase_write_timeout_per_mb = 1"
    attempts = "write_block_attempts = 1\nconnect_attempts = 4"
    settings.write_text(f"[esptool]\n{patience}\n{attempts}\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(settings))


def _standstill(board, length_s: float | None):
    """Return a watcher of progress that stops the board once, when writing has just begun."""
    stopped = []

    def watch(step: FlashProgress) -> None:
        if not stopped:
            stopped.append(step)
            os.kill(board.pid, signal.SIGSTOP)
            if length_s is not None:
                threading.Timer(length_s, os.kill, (board.pid, signal.SIGCONT)).start()

    return watch


@pytest.fixture
def slow_board(tmp_path):
    """A board whose writing takes long enough to be disturbed."""
    with VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "slow", baud_limit=115200)) as board:
        yield board


def test_a_line_that_fails_once_gets_a_second_try_at_a_safe_rate(
    slow_board, bundle, impatient, caplog
):
    report = flash(slow_board.port, bundle, progress=_standstill(slow_board, 2.5))
    assert report.tries == 2
    assert {*report.written, *report.skipped} == set(FILES)
    assert "at 460800 baud" in caplog.text
    assert "it is tried once more" in caplog.text
    with opened(slow_board.port) as port:
        assert echoes(port)


def test_a_line_that_stays_dead_is_told_after_the_second_try(slow_board, bundle, impatient):
    try:
        with pytest.raises(FlashError, match="at 115200 baud"):
            flash(slow_board.port, bundle, progress=_standstill(slow_board, None))
    finally:
        os.kill(slow_board.pid, signal.SIGCONT)
    assert flash(slow_board.port, bundle).tries == 1


def test_ctrl_c_while_flashing_ends_esptool_and_frees_the_port(board, bundle):
    begun = threading.Event()

    def interrupt() -> None:
        begun.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        _flash_for_ever(board.port, bundle, begun)
    thread.join()
    assert not [pid for pid in _children(os.getpid()) if pid != board.pid]
    assert flash(board.port, bundle).mac == board.mac


def _flash_for_ever(port, bundle, begun) -> None:
    while True:
        flash(port, bundle, FlashOptions(skip_flashed=False), progress=lambda _: begun.set())


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize(
    ("port", "strategy"),
    [
        ("/dev/pts/7", ResetStrategy.NONE),
        ("/dev/ttyUSB0", ResetStrategy.LINES),
        ("rfc2217://lab:4000", ResetStrategy.LINES),
    ],
)
def test_the_reset_strategy_fits_the_port(port, strategy):
    assert ResetStrategy.for_port(port) is strategy


def test_a_link_to_a_terminal_is_a_terminal(board, tmp_path):
    assert ResetStrategy.for_port(str(tmp_path / "board" / "port")) is ResetStrategy.NONE


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    return tmp_path_factory.mktemp("firmware")


@pytest.mark.parametrize("name", CHIPS)
def test_the_real_runner_answers_after_it_was_flashed(tmp_path, firmware, name):
    bundle = read_bundle(ensure_bundle(name, firmware))
    with VirtualBoard(VirtualBoardSpec(name, tmp_path / "board")) as board:
        assert flash(board.port, bundle).written == FILES
        link = Link(SerialTransport(board.port), first_seq=1)
        try:
            identity = board_identity(Conversation(link.perform, count(1).__next__).hello())
        finally:
            link.close()
    assert identity.virtual
    assert identity.target == name
    assert identity.mac == board.mac
    assert identity.firmware_sha256 == bundle.app_elf_sha256
    assert identity.firmware_version == bundle.version
    assert identity.chip_revision == chip_named(name).revision


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_starts_several_boards_and_ends_them_all(tmp_path, how):
    words = ["virtual", "start", "esp32s3", "esp32", "esp32s3", "--state", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "espdl_hil.cli", *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        lines = [process.stdout.readline().split() for _ in range(3)]
        names = [name for name, _ in lines]
        assert names == ["esp32s3:", "esp32:", "esp32s3-2:"]
        assert len({port for _, port in lines}) == 3
        pids = _children(process.pid)
        assert len(pids) == 3
        process.send_signal(how)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert all(wait_until_gone(pid) for pid in pids)
    assert not any(exists(pid) for pid in pids)


def test_the_command_line_ends_when_a_board_ends(tmp_path):
    words = ["virtual", "start", "esp32", "esp32p4", "--state", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "espdl_hil.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for _ in range(2):
        process.stdout.readline()
    pids = _children(process.pid)
    os.kill(pids[0], signal.SIGKILL)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "ended by itself" in said
    assert all(wait_until_gone(pid) for pid in pids)
