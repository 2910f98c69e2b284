"""Boards for a `PacedLine`: the server in C, in this process or as the runner's program.

Neither takes real time into its answers: the first has a clock of its own, which flash moves on;
the second counts as answering at once.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from espdl_hil.boards.link import Link
from espdl_hil.transport.loopback import ManualClock
from espdl_hil.wire import Conversation
from espdl_hil.wire.framing import Frame, FrameDecoder
from tests.firmware.wire_library import Board as Server
from tests.support.paced_line import BITS_PER_BYTE, Board, PacedLine

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class FlashTimes:
    """How long a flash chip takes, in seconds."""

    page_s: float = 0.0
    sector_s: float = 0.0
    block_s: float = 0.0


INSTANT = FlashTimes()
TYPICAL = FlashTimes(page_s=0.0006, sector_s=0.045, block_s=0.15)
"""What data sheets of 8 MB SPI NOR chips give as typical: a page, 4 KiB, 64 KiB."""


def server(window: int, flash: FlashTimes = INSTANT, store_bytes: int = 4 << 20) -> Board:
    """The server over a flash that was full before."""
    board = Server()
    board.widen(
        store_bytes // 4096,
        window=window,
        page_s=flash.page_s,
        sector_s=flash.sector_s,
        block_s=flash.block_s,
    )

    def answer(frame: bytes) -> tuple[bytes, float]:
        before = board.now_s
        return board.receive(frame), board.now_s - before

    return answer


@contextmanager
def runner(program: Path, target: str, flash: Path, store_bytes: int = 8 << 20) -> Iterator[Board]:
    """The runner's program with its reference engine; ended on leaving."""
    flash.write_bytes(b"\xff" * store_bytes)
    child = subprocess.Popen(
        [
            *(str(program), "--target", target, "--flash", str(flash)),
            *("--store-offset", "0", "--store-size", str(store_bytes)),
            *("--psram", str(32 << 20)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    stdin, stdout = child.stdin, child.stdout
    assert stdin is not None
    assert stdout is not None
    decoder = FrameDecoder()

    def answer(frame: bytes) -> tuple[bytes, float]:
        (request,) = FrameDecoder().feed(frame)
        assert isinstance(request, Frame)
        sent, said = 0, b""
        while True:
            waiting = [stdin] if sent < len(frame) else []
            readable, writable, _ = select.select([stdout], waiting, [], _PATIENCE_S)
            assert readable or writable, "the runner neither takes nor gives bytes"
            if writable:
                sent += os.write(stdin.fileno(), frame[sent : sent + select.PIPE_BUF])
            if readable:
                data = os.read(stdout.fileno(), 1 << 16)
                assert data, "the runner is gone"
                said += data
                found = [one for one in decoder.feed(data) if isinstance(one, Frame)]
                if any(one.seq == request.seq for one in found):
                    return said, 0.0

    try:
        yield answer
    finally:
        stdin.close()
        stdout.close()
        child.wait(_PATIENCE_S)


@dataclass(slots=True)
class Talk:
    """A conversation over a paced line, and its time."""

    line: PacedLine
    clock: ManualClock
    link: Link
    conversation: Conversation
    baud: int

    def share(self, payload_bytes: int, seconds: float) -> float:
        """Return the payload as a share of what the line carries in that time."""
        return payload_bytes / (seconds * self.baud / BITS_PER_BYTE)


def talk_to(board: Board, baud: int, latency_s: float = 0.001) -> Talk:
    """Say hello over a line of this rate, and take the window that the board offers."""
    clock = ManualClock()
    line = PacedLine(board, clock, baud=baud, latency_s=latency_s)
    link = Link(line, first_seq=1, now=clock)
    link.client.set_rate(baud)
    conversation = Conversation(link.perform, count(1).__next__)
    link.client.window = conversation.hello().window
    return Talk(line, clock, link, conversation, baud)
