"""A pseudo terminal as a port: closings and bytes in the order in which clients caused them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from espdl_hil.virtual.port import LastClosed, Received
from espdl_hil.virtual.pty import PtyPort


@pytest.fixture
def port() -> Iterator[PtyPort]:
    made = PtyPort()
    yield made
    made.close()


def opened(port: PtyPort) -> int:
    return os.open(port.name, os.O_RDWR | os.O_NOCTTY)


@pytest.mark.parametrize("reads_before", range(4))
def test_a_closing_never_comes_after_what_the_next_client_wrote(port, monkeypatch, reads_before):
    """Whatever the board has looked at when one client closes and the next one writes."""
    clients = [opened(port)]
    read: Callable[[int, int], bytes] = os.read
    count = 0

    def reading(descriptor: int, size: int) -> bytes:
        nonlocal count
        if count == reads_before:
            os.close(clients.pop())
            clients.append(opened(port))
            os.write(clients[0], b"first words")
        count += 1
        return read(descriptor, size)

    with monkeypatch.context() as patch:
        patch.setattr("espdl_hil.virtual.pty.os.read", reading)
        events = [event for _ in range(3) for event in port.receive(100)]
    os.close(clients.pop())
    assert events == [LastClosed(), Received(b"first words")]
