"""What every transport promises, for all of them."""

from __future__ import annotations

import os
import pty
import random
import socket
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from espdl_hil.errors import BoardNotFoundError, DisconnectedError, TransportError
from espdl_hil.transport import (
    FaultyTransport,
    LineFaults,
    LoopbackTransport,
    ManualClock,
    ProcessTransport,
    SerialTransport,
    Transport,
)

ECHO = (
    "import os\nwhile data := os.read(0, 65536):\n    while data: data = data[os.write(1, data):]"
)
DATA = random.Random(3).randbytes(300_000)
PATIENCE_S = 10.0

Opened = tuple[Transport, Callable[[], None]]
"""A transport to something that echoes, and a function that pulls its cable."""


def echo_thread(stack: ExitStack, descriptor: int) -> None:
    """Echo on a descriptor until it closes."""

    def echo() -> None:
        try:
            while data := os.read(descriptor, 65536):
                while data:
                    data = data[os.write(descriptor, data) :]
        except OSError:
            return

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()
    stack.callback(thread.join, PATIENCE_S)


def open_pty(stack: ExitStack) -> Opened:
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    transport = SerialTransport(name)
    os.close(slave)
    child = ProcessEcho(master)
    stack.callback(child.end)
    stack.callback(transport.close)
    return transport, child.end


class ProcessEcho:
    """Echoes a terminal's master side in a child: a thread blocked in read cannot be unplugged."""

    def __init__(self, master: int) -> None:
        import subprocess

        self._child = subprocess.Popen(
            [sys.executable, "-c", ECHO.replace("write(1", "write(0")], stdin=master
        )
        os.close(master)

    def end(self) -> None:
        self._child.kill()
        self._child.wait()


def open_socket(stack: ExitStack) -> Opened:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    transport = SerialTransport(f"socket://127.0.0.1:{server.getsockname()[1]}")
    peer, _ = server.accept()
    stack.callback(peer.close)
    echo_thread(stack, peer.fileno())

    def pull() -> None:
        peer.shutdown(socket.SHUT_RDWR)

    stack.callback(transport.close)
    return transport, pull


def open_process(stack: ExitStack) -> Opened:
    transport = ProcessTransport([sys.executable, "-c", ECHO])
    stack.callback(transport.close)

    def pull() -> None:
        os.kill(transport.pid, 9)

    return transport, pull


def open_loopback(stack: ExitStack) -> Opened:
    transport = LoopbackTransport(lambda data: data, ManualClock())
    stack.callback(transport.close)
    return transport, transport.close


def open_faultless_cable(stack: ExitStack) -> Opened:
    inner, pull = open_process(stack)
    return FaultyTransport(inner, LineFaults(), random.Random(1)), pull


@pytest.fixture(
    params=[open_pty, open_socket, open_process, open_loopback, open_faultless_cable],
    ids=lambda opener: opener.__name__.removeprefix("open_"),
)
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with ExitStack() as stack:
        yield request.param(stack)


def read_all(transport: Transport, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = transport.read(PATIENCE_S)
        assert piece, f"{len(data)} of {size} bytes came"
        data += piece
    return data


def test_bytes_come_back_unchanged_and_in_order(opened: Opened):
    transport, _ = opened
    for at in range(0, len(DATA), 4096):
        transport.write(DATA[at : at + 4096])
        assert read_all(transport, len(DATA[at : at + 4096])) == DATA[at : at + 4096]


def test_all_byte_values_pass(opened: Opened):
    transport, _ = opened
    transport.write(bytes(range(256)) * 4)
    assert read_all(transport, 1024) == bytes(range(256)) * 4


def test_a_read_in_vain_returns_nothing(opened: Opened):
    transport, _ = opened
    assert transport.read(0.0) == b""
    assert transport.read(0.01) == b""


def test_a_pulled_cable_is_told_as_such(opened: Opened):
    transport, pull = opened
    transport.write(b"before")
    assert read_all(transport, 6) == b"before"
    pull()
    with pytest.raises(DisconnectedError):  # noqa: PT012 -- whichever end of the call sees it first
        for _ in range(1000):
            transport.read(0.01)
            transport.write(b"after")


def test_closing_twice_is_allowed_and_using_after_that_is_an_error(opened: Opened):
    transport, _ = opened
    transport.close()
    transport.close()
    with pytest.raises(DisconnectedError):
        transport.write(b"x")


def test_the_port_has_a_name_and_the_line_has_no_reset(opened: Opened):
    transport, _ = opened
    assert transport.port
    assert transport.reset() is False


def test_a_missing_device_is_not_found():
    with pytest.raises(BoardNotFoundError, match="no such port"):
        SerialTransport("/dev/no-such-port")


def test_a_socket_that_nobody_serves_cannot_be_opened():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError, match="cannot be opened"):
        SerialTransport(f"socket://127.0.0.1:{port}")


def test_a_program_that_does_not_exist_is_not_found():
    with pytest.raises(BoardNotFoundError, match="cannot be started"):
        ProcessTransport(["/no/such/program"])


def test_what_a_dead_program_said_last_is_in_the_error():
    script = "import sys; sys.stderr.write('flash file is missing'); sys.exit(3)"
    with (
        ProcessTransport([sys.executable, "-c", script]) as transport,
        pytest.raises(DisconnectedError, match=r"code 3: flash file is missing"),
    ):
        transport.read(PATIENCE_S)


def test_a_closed_process_is_gone():
    transport = ProcessTransport([sys.executable, "-c", ECHO])
    transport.close()
    with pytest.raises(ProcessLookupError):
        os.kill(transport.pid, 0)


def test_a_program_that_ignores_the_end_of_its_input_is_killed():
    script = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\n"
    transport = ProcessTransport([sys.executable, "-c", script + "while True: signal.pause()"])
    assert read_all(transport, 3) == b"up\n"
    transport.close()
    with pytest.raises(ProcessLookupError):
        os.kill(transport.pid, 0)


# --- The bad cable --------------------------------------------------------------------------------


def through(faults: LineFaults, seed: int = 1) -> bytes:
    clock = ManualClock()
    inner = LoopbackTransport(lambda data: data, clock)
    cable = FaultyTransport(inner, faults, random.Random(seed), clock)
    cable.write(DATA)
    return cable.read(1.0)


def test_equal_seeds_give_equal_damage():
    faults = LineFaults(drop=0.001, flip=0.001)
    assert through(faults, 5) == through(faults, 5)
    assert through(faults, 5) != through(faults, 6)


def test_dropped_bytes_are_missing_and_flipped_ones_differ_by_one_bit():
    assert len(through(LineFaults(drop=0.01))) < len(DATA)
    flipped = through(LineFaults(flip=0.001))
    differing = [a ^ b for a, b in zip(DATA, flipped, strict=True) if a != b]
    # A byte may be hit on its way there and again on its way back.
    assert differing
    assert all(bits.bit_count() <= 2 for bits in differing)


def test_delayed_bytes_come_later_and_not_before():
    clock = ManualClock()
    inner = LoopbackTransport(lambda data: data, clock)
    cable = FaultyTransport(inner, LineFaults(delay_s=0.5), random.Random(1), clock)
    cable.write(b"late")
    assert cable.read(0.4) == b""
    assert clock() == pytest.approx(0.4)
    assert cable.read(1.0) == b"late"
    assert clock() == pytest.approx(0.5)


def test_a_cut_cable_passes_exactly_its_last_bytes():
    clock = ManualClock()
    arrived = bytearray()

    def board(data: bytes) -> bytes:
        arrived.extend(data)
        return b""

    inner = LoopbackTransport(board, clock)
    cable = FaultyTransport(inner, LineFaults(cut_after_bytes=1000), random.Random(1), clock)
    cable.write(bytes(900))
    cable.write(bytes(900))
    assert len(arrived) == 1000
    with pytest.raises(DisconnectedError, match="cut"):
        cable.write(b"x")
    with pytest.raises(DisconnectedError, match="cut"):
        cable.read(1.0)
