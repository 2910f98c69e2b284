"""Ports that fail in every other way than with wrong bytes: each has its name, soon."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from espdl_hil.boards.connection import NoFirmwareError
from espdl_hil.boards.firmware import FirmwareBundle, FirmwarePart
from espdl_hil.boards.flash_plan import FlashPolicy
from espdl_hil.boards.flashing import flash
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.session import open_session
from espdl_hil.errors import (
    BoardBusyError,
    DeadlineError,
    DisconnectedError,
    FlashError,
    TransportError,
)
from espdl_hil.targets import target_named
from espdl_hil.transport import BorrowedSerialTransport, SerialTransport
from espdl_hil.transport import serial as serial_module
from espdl_hil.transport.urls.protocol_rfc2217 import Serial as QuickSerial
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec

# pyserial 3.5 names and marks its thread in a way that Python 3.10 deprecated
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated")

BUNDLE = FirmwareBundle(
    Path("none"), "esp32s3", "1", True, "0" * 64, (FirmwarePart("app.bin", 0x10000, bytes(64)),)
)


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo terminal: the board's side, and the name of ours."""
    master, slave = pty.openpty()
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(slave)
        with contextlib.suppress(OSError):
            os.close(master)


@contextlib.contextmanager
def listener(*, answers: bool) -> Iterator[int]:
    """A TCP port: half open, taking connections and saying nothing; or with nobody behind it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen()
        yield server.getsockname()[1]


HOLDER = """\
import sys, serial
port = serial.Serial(sys.argv[1], exclusive=True)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_port_in_use_is_told_with_the_program_that_has_it():
    with terminal() as (_, name):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdout.readline() == "open\n"
            with pytest.raises(BoardBusyError, match=rf"python.*process {holder.pid}\b"):
                SerialTransport(name)
            holder.stdin.close()
        SerialTransport(name).close()


def test_nobody_takes_the_bytes(monkeypatch):
    monkeypatch.setattr(serial_module, "_WRITE_DEADLINE_S", 0.2)
    with (
        terminal() as (_, name),
        SerialTransport(name) as port,
        pytest.raises(DeadlineError, match=r"bytes were not taken for 0\.2 s"),
    ):
        port.write(bytes(1 << 20))


@pytest.mark.parametrize("act", ["read", "write"])
def test_a_port_unplugged_while_open_is_disconnected(act):
    with terminal() as (master, name), SerialTransport(name) as port:
        os.close(master)
        with pytest.raises(DisconnectedError, match="unplugged"):
            port.read(1.0) if act == "read" else port.write(b"x")


def test_what_came_before_the_cable_was_pulled_is_read_first():
    with terminal() as (master, name), SerialTransport(name) as port:
        os.write(master, b"last words\n")
        assert port.read(1.0) == b"last words\n"
        os.close(master)
        with pytest.raises(DisconnectedError):
            port.read(1.0)


def test_a_half_open_connection_is_a_board_without_a_runner():
    with listener(answers=True) as tcp:
        board = Board(
            "far", target_named("esp32s3"), virtual=False, port=f"socket://127.0.0.1:{tcp}"
        )
        with pytest.raises(NoFirmwareError, match="no runner answers the hello") as caught:
            open_session(board, flash=FlashPolicy.NEVER, deadline_s=0.3)
    assert caught.value.board == "far"


@pytest.mark.parametrize("answers", [False, True])
def test_a_dead_serial_server_is_told_when_opening(answers):
    with (
        listener(answers=answers) as tcp,
        pytest.raises(TransportError, match=r"(?s)cannot be opened.*serial server"),
    ):
        SerialTransport(f"rfc2217://127.0.0.1:{tcp}?timeout=0.2")


def test_a_dead_serial_server_is_told_when_flashing():
    with listener(answers=False) as tcp, pytest.raises(FlashError, match=r"(?s)esptool.*port"):
        flash(f"rfc2217://127.0.0.1:{tcp}", BUNDLE)


# --- RFC 2217 without negotiating everything again ------------------------------------------------


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[str]:
    with VirtualBoard(VirtualBoardSpec("esp32s3", tmp_path / "board", port="rfc2217")) as board:
        yield board.port


class Counting(QuickSerial):
    """Counts what is negotiated."""

    asked = 0

    def rfc2217_send_subnegotiation(self, option: bytes, value: bytes = b"") -> None:
        self.asked += 1
        super().rfc2217_send_subnegotiation(option, value)


def test_only_a_changed_setting_is_negotiated(remote):
    port = Counting(None, baudrate=115200, timeout=1)
    port.port = remote
    port.open()
    try:
        asked = port.asked
        for timeout in (0.1, 3, None, 0.05):
            port.timeout = timeout
        assert port.asked == asked
        port.baudrate = 460800
        assert port.asked > asked
        asked = port.asked
        port.baudrate = 460800
        assert port.asked == asked
        port.rts = not port.rts
        assert port.asked == asked + 1
        with pytest.raises(NotImplementedError):
            port.write_timeout = 1.0
    finally:
        port.close()


def test_a_second_opening_negotiates_everything_again(remote):
    port = Counting(None, baudrate=115200)
    port.port = remote
    port.open()
    first = port.asked
    port.close()
    port.open()
    assert port.asked == 2 * first
    port.close()


def test_flashing_by_rfc2217_uses_the_reset_lines_in_both_directions(remote, tmp_path):
    """An image that does not boot is enough: the board says so after the reset."""
    report = flash(remote, BUNDLE)
    assert report.written == ("app.bin",)
    with SerialTransport(remote) as port:
        text = b""
        while b"invalid header" not in text:
            piece = port.read(10.0)
            assert piece, text
            text += piece
    flashed = (tmp_path / "board" / "flash.bin").read_bytes()
    assert flashed[0x10000:0x10040] == bytes(64)


# --- Borrowed ports -------------------------------------------------------------------------------


def test_a_borrowed_port_is_given_back_as_it_was_and_open():
    with terminal() as (master, name):
        theirs = serial.serial_for_url(name, baudrate=115200, timeout=0.05)
        with BorrowedSerialTransport(theirs) as port:
            port.set_baud(921600)
            os.write(master, b"x")
            assert port.read(1.0) == b"x"
            assert theirs.timeout == 0
        assert theirs.is_open
        assert (theirs.timeout, theirs.write_timeout, theirs.baudrate) == (0.05, None, 115200)
        theirs.close()
        with pytest.raises(TransportError, match="its owner has closed the port"):
            BorrowedSerialTransport(theirs)
