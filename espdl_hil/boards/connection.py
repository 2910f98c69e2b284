"""Reaching the runner on an open line: who is there, at which rate, or nobody.

The law of this file: it asks and never flashes. That nobody answers is a typed error with what
the board said instead.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from espdl_hil.boards.hearing import Hear
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.line import Line
from espdl_hil.boards.link import Link
from espdl_hil.errors import BoardError, DeadlineError, DisconnectedError, EngineError
from espdl_hil.runs import BoardIdentity
from espdl_hil.wire import Conversation, Counters, Identity, board_identity

_LOG = logging.getLogger(__name__)
_FIRST_HELLO_S = 2.0  # covers a board that restarts because its port was opened
_FAST_HELLO_S = 1.0
_TRIAL_S = 0.4  # the board gives a new rate up after 0.5 s without a hello
_RETURN_S = 5.0
_TAIL_BYTES = 4096
_LOG_LINES = 6
_SEQ_BITS = 16
_RUN_ID_BITS = 32
# What boot loaders print when there is nothing to boot; waiting for an answer would be in vain.
_NOTHING_BOOTS = re.compile(
    rb"invalid header: 0x[0-9a-f]{8}|No bootable app|Failed to verify partition table|"
    rb"waiting for download|ets_main\.c 3\d\d"
)


class NoFirmwareError(BoardError):
    """The board is there, but no runner: nothing boots, or nobody answers the hello."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An answered hello and what to go on with."""

    link: Link
    conversation: Conversation
    identity: BoardIdentity

    def close(self) -> None:
        """Close the port."""
        self.link.close()


@dataclass(frozen=True, slots=True)
class Caller:
    """What every connection of a session shares.

    Attributes:
        board: the entry.
        rng: of sequence numbers and run ids.
        counters: of the session.
        hello_s: how long a booting board has for its first answer.
        now: the clock.
        hear: gets the board's words as they come.
    """

    board: Board
    rng: random.Random
    counters: Counters
    hello_s: float
    now: Callable[[], float] = time.monotonic
    hear: Hear | None = None


def connect(caller: Caller, line: Line, *, restart: bool = False) -> Connection:
    """Open the board's port and say hello.

    Args:
        caller: whose connection it becomes.
        line: the way to the board.
        restart: restart the board first, by power where we have it, else by the reset lines.

    Raises:
        NoFirmwareError: nobody answers.
        RemoteProtocolError: somebody does, in another protocol version.
        BoardError: the port cannot be opened.
    """
    pulse = restart and not line.restart()
    try:
        return _try(caller, line, pulse=pulse, return_s=_RETURN_S if restart else 0.0)
    except DisconnectedError:
        # A chip with its own USB device takes the port away for a moment when it restarts.
        return _try(caller, line, pulse=False, return_s=_RETURN_S)


def _try(caller: Caller, line: Line, *, pulse: bool, return_s: float) -> Connection:
    transport = line.transport(return_s)
    first_seq = caller.rng.getrandbits(_SEQ_BITS)
    name, now, hear = caller.board.name, caller.now, caller.hear
    link = Link(transport, first_seq, name, now, caller.counters, hear)
    try:
        if pulse:
            transport.reset()
        conversation = Conversation(link.perform, lambda: caller.rng.getrandbits(_RUN_ID_BITS))
        identity = _greet(caller, link, conversation)
        link.until = None
        return Connection(link, conversation, board_identity(identity))
    except BaseException:
        link.close()
        raise


def _greet(caller: Caller, link: Link, conversation: Conversation) -> Identity:
    """Say hello at every rate that the board may listen at, with a reset in between."""
    board, transport = caller.board, link.transport
    first_s = caller.hello_s if board.virtual else min(_FIRST_HELLO_S, caller.hello_s)
    attempts = [(board.baud, first_s)]
    if board.fast_baud is not None:
        # An earlier process may have left the board at its other rate.
        attempts.append((board.fast_baud, _FAST_HELLO_S))
    for baud, patience_s in attempts:
        identity = _hello_at(caller, link, conversation, baud, patience_s)
        if identity is not None:
            return _speed_up(caller, link, conversation, identity, baud)
    if not board.virtual:
        # Where nothing can reset it, the board may still be only slow: it gets the time promised.
        spent_s = 0.0 if transport.reset() else first_s
        identity = _hello_at(caller, link, conversation, board.baud, caller.hello_s - spent_s)
        if identity is not None:
            return _speed_up(caller, link, conversation, identity, board.baud)
    said = "\n".join(f"  | {line}" for line in link.take_log()[-_LOG_LINES:])
    raise NoFirmwareError(
        "no runner answers the hello" + (f"; the board says:\n{said}" if said else ""),
        board=board.name,
        port=transport.port,
        hint="flash it: `espdl-hil flash BOARD`",
    )


def _hello_at(
    caller: Caller, link: Link, conversation: Conversation, baud: int, patience_s: float
) -> Identity | None:
    # What came before stems from another rate or another boot. Not after the hello: what follows
    # the answer is the board's own account of its last boot.
    link.drain()
    link.transport.set_baud(baud)
    link.client.set_rate(baud)
    link.until = caller.now() + patience_s
    try:
        with link.watched(_BootWatch().feed):
            identity = conversation.hello()
    except (DeadlineError, _NothingBootsError):
        link.drain()
        return None
    link.client.window = identity.window
    return identity


def _speed_up(
    caller: Caller, link: Link, conversation: Conversation, identity: Identity, baud: int
) -> Identity:
    """Change to the fast rate where there is one and the board can; else stay."""
    fast = caller.board.fast_baud
    if fast is None or fast == baud:
        return identity
    link.until = caller.now() + _FAST_HELLO_S
    try:
        conversation.change_baud(fast)
    except (EngineError, DeadlineError) as error:
        _LOG.warning("board %r stays at %d baud: %s", caller.board.name, baud, error.what)
        return identity
    faster = _hello_at(caller, link, conversation, fast, _TRIAL_S)
    if faster is not None:
        return faster
    _LOG.warning("board %r does not answer at %d baud", caller.board.name, fast)
    slower = _hello_at(caller, link, conversation, baud, _FIRST_HELLO_S)
    if slower is None:
        raise DeadlineError(
            f"lost the board while changing from {baud} to {fast} baud",
            board=caller.board.name,
            hint="try a lower fast_baud",
        )
    return slower


class _NothingBootsError(BoardError):
    """The boot loader says that there is nothing to boot."""


class _BootWatch:
    """Reads along while a hello waits for its answer."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if _NOTHING_BOOTS.search(self._tail):
            raise _NothingBootsError("nothing boots")
