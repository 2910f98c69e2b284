"""A board in use: locked, reached, flashed where needed, and asked to run models.

The law of this file: whatever happens, Ctrl-C among it, the port is closed, the lock is free and
no child is left. Every wait has a deadline, every repair a bounded number of tries.
"""

from __future__ import annotations

import logging
import random
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from espdl_hil.boards.backtrace import Symbols, symbols_of
from espdl_hil.boards.connection import Caller, Connection, NoFirmwareError, connect
from espdl_hil.boards.firmware import FirmwareBundle, elf_of
from espdl_hil.boards.flash_plan import FlashPlan, FlashPolicy, Progress
from espdl_hil.boards.flashing import flash as flash_with_esptool
from espdl_hil.boards.hearing import Hear
from espdl_hil.boards.inventory import Board
from espdl_hil.boards.line import Line, line_of
from espdl_hil.boards.locks import BoardLock
from espdl_hil.boards.naming import located, wrong_target_error
from espdl_hil.boards.panics import Restart, read_restart
from espdl_hil.boards.patience import silence_of_file_s
from espdl_hil.boards.restarts import RestartWatch, node_in_words, noted_node, restart_error
from espdl_hil.closing import Closing
from espdl_hil.errors import (
    BoardError,
    BoardNotFoundError,
    ConfigError,
    DeadlineError,
    DisconnectedError,
    EngineError,
    FlashError,
    RemoteProtocolError,
    StreamLostError,
    TransportError,
)
from espdl_hil.runs import BoardIdentity, RunRequest, RunResult
from espdl_hil.wire import Counters

_LOG = logging.getLogger(__name__)
_WRONG_TARGET = "HIL_ERR_TARGET"
_TRIES = 2  # of one run: a board that dies twice on the same model dies of it


def open_session(
    board: Board,
    *,
    firmware: FirmwareBundle | Path | None = None,
    flash: FlashPolicy = FlashPolicy.IF_NEEDED,
    deadline_s: float = 5.0,
    wait_s: float = 0.0,
    progress: Progress | None = None,
    elf: Path | None = None,
    line: Line | None = None,
    hear: Hear | None = None,
) -> BoardSession:
    """Lock a board, start it where it is virtual, flash it where needed, and say hello.

    Args:
        board: an entry of the inventory.
        firmware: what the board shall run; ``None`` takes the entry's bundle, and for a virtual
            board the one built from the sources.
        flash: when to write it.
        deadline_s: how long a booting board has for its first answer.
        wait_s: how long to wait for another process that has the board.
        progress: sees how flashing goes.
        elf: the application's ELF file, to decode panics; ``None`` takes the bundle's.
        line: the way to the board where it is not the entry's own, closed with the session.
        hear: gets the board's words as they come.

    Returns:
        An open session, a context manager; ``close`` it in any case.

    Raises:
        BoardBusyError: another process has the board.
        BoardNotFoundError: it is not plugged in.
        FlashError: esptool failed, or what booted is not what was written.
        ConfigError: the bundle is for another target, or ``elf`` is not of the firmware that runs.
        BoardError: any other fault of the bench.
    """
    rng = random.Random()
    caller = Caller(board, rng, Counters(), deadline_s, hear=hear)
    session = BoardSession(caller, line_of(board) if line is None else line)
    try:
        session.open(FlashPlan(firmware, flash, progress), wait_s, elf)
    except BoardError as error:
        raise located(error, board.name, "") from error.__cause__
    return session


class BoardSession(Closing):
    """An open board; made by ``open_session``.

    Attributes:
        board: its entry.
        flashed: whether opening wrote firmware.
        counters: what crossed the line since opening, in bytes; flashing is not counted.
        recoveries: how often the board had to be restarted to finish a run.
    """

    def __init__(self, caller: Caller, line: Line) -> None:
        self.board = caller.board
        self.flashed = False
        self.recoveries = 0
        self.counters = caller.counters
        self._caller = caller
        self._line = line
        self._connection: Connection | None = None
        self._identity: BoardIdentity | None = None
        self._in_doubt = False
        self._bundle: FirmwareBundle | None = None
        self._elf: tuple[Path, bytes] | None = None
        self._stack = ExitStack()

    def open(self, plan: FlashPlan, wait_s: float, elf: Path | None = None) -> None:
        """Lock, start, reach and if need be flash the board; see ``open_session``."""
        with ExitStack() as stack:
            lock = BoardLock(self._line.identity, board=self.board.name)
            stack.callback(lock.release)
            lock.acquire(wait_s)
            stack.callback(self._line.close)
            stack.callback(self._disconnect)
            self._line.open()
            self._reach(plan)
            if elf is not None:
                self._elf = (elf, _read_elf(elf, self.identity.firmware_sha256))
            self._stack = stack.pop_all()

    @property
    def identity(self) -> BoardIdentity:
        """Who answered the hello."""
        if self._identity is None:
            raise BoardError("the session is not open", board=self.board.name)
        return self._identity

    def close(self) -> None:
        """Close the port, end a virtual board, free the lock; more than once is allowed."""
        self._stack.close()

    # --- Use ----------------------------------------------------------------------------------

    def run(self, request: RunRequest, deadline_s: float | None = None) -> RunResult:
        """Run a model on the board and bring its results back.

        A board that stops answering or restarts meanwhile is reached again, and the run is tried
        once more; the result's log then says so.

        Args:
            request: model, inputs and what to bring back.
            deadline_s: for everything together, recovery too; ``None`` waits as long as the board
                shows signs of life.

        Raises:
            ModelError: the inputs are not those of the model.
            EngineError: the firmware refused the model or failed in it.
            DeadlineError: the board fell silent, or the deadline passed.
            StreamLostError: the board forgot the stream that the request continues.
            BoardError: any other fault of the bench.
        """
        until = None if deadline_s is None else self._caller.now() + deadline_s
        before, uploaded = replace(self.counters), False
        request = self._completed(request)
        story: list[str] = []
        for attempt in range(_TRIES):
            connection = self._connected() if attempt == 0 else self._regained()
            connection.link.until = until
            earlier = connection.link.take_log()
            # What was said before the first try is not about this run; what the board says about
            # its last boot before the second one is.
            story += earlier if attempt else ()
            connection.link.alive_node = None
            try:
                with connection.link.watched(RestartWatch().feed):
                    found = connection.conversation.run(request)
            except BoardError as error:
                uploaded |= connection.conversation.model_uploaded
                connection.link.drain()
                said = connection.link.take_log()
                story += said
                restart = read_restart(said)
                noted = noted_node(story)
                node = connection.link.alive_node if noted is None else noted
                named = self._named(error, restart, request.model, node)
                self._leave_if_doubtful(error, restart)
                late = until is not None and self._caller.now() >= until
                if attempt + 1 == _TRIES or late or not _may_pass(error, restart):
                    raise named from error
                story.append(f"session: {named.what}; the run is repeated")
                _LOG.warning("board %r: %s", self.board.name, story[-1])
                self.recoveries += 1
            else:
                uploaded |= found.model_uploaded
                usage = self.counters.usage_since(before, model_uploaded=uploaded)
                return found.result(self.identity, usage, (*story, *connection.link.take_log()))
        raise AssertionError("unreachable: the last try returns or raises")

    def erase_models(self) -> None:
        """Empty the board's model store."""
        self._connected().conversation.erase_models()

    # --- Reaching the board -------------------------------------------------------------------

    def _reach(self, plan: FlashPlan) -> None:
        bundle = self._bundle = plan.bundle_for(self.board)
        absent: BoardError | None = None
        if plan.policy is not FlashPolicy.ALWAYS:
            try:
                self._connect()
            except (NoFirmwareError, RemoteProtocolError) as error:
                absent = error
            else:
                if bundle is None or bundle.app_elf_sha256 == self.identity.firmware_sha256:
                    return
        if bundle is None or not self.board.flash.allowed:
            raise absent or FlashError(
                "there is no firmware to flash"
                if bundle is None
                else "another firmware runs, and the inventory forbids flashing",
                board=self.board.name,
                hint="give a bundle: --firmware, or `firmware:` under `flash:` in boards.yaml",
            )
        self._flash(bundle, plan.progress)

    def _flash(self, bundle: FirmwareBundle, progress: Progress | None) -> None:
        self._disconnect()
        with self._line.released() as port:
            flash_with_esptool(port, bundle, self.board.flash.options, progress)
        self.flashed = True
        try:
            self._connect()
        except NoFirmwareError as error:
            raise FlashError(
                f"the firmware was written, but {error.what}", board=self.board.name
            ) from error
        if self.identity.firmware_sha256 != bundle.app_elf_sha256:
            raise FlashError(
                f"firmware {bundle.app_elf_sha256[:12]} was written, "
                f"{self.identity.firmware_sha256[:12]} booted",
                board=self.board.name,
            )

    def _connect(self, *, restart: bool = False) -> Connection:
        self._disconnect()
        connection = connect(self._caller, self._line, restart=restart)
        try:
            self._check_identity(connection.identity)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._identity = connection.identity
        return connection

    def _connected(self) -> Connection:
        """Return the connection; a board that was left in doubt is restarted first.

        One that restarted by itself is not: a second restart would only hide a second fault.
        """
        if self._connection is not None:
            return self._connection
        before = self.identity
        try:
            connection = self._connect(restart=self._in_doubt)
        except NoFirmwareError as error:
            # It answered when the session was opened: flashing is not what is missing.
            raise DeadlineError(
                f"the runner answered before, and does not any more: {error.what}",
                board=self.board.name,
                port=error.port,
                hint="power, the cable, or a firmware that hangs; press reset and open it anew",
            ) from error
        if connection.identity.firmware_sha256 != before.firmware_sha256:
            raise BoardError(
                "another firmware answers than before", board=self.board.name, hint="open it anew"
            )
        return connection

    def _regained(self) -> Connection:
        """Return the connection after a fault; a port that is gone for good is told as what it is.

        That it is not found now is only the consequence of that it went away.
        """
        try:
            return self._connected()
        except BoardNotFoundError as error:
            raise DisconnectedError(
                "the port went away during the run and did not come back",
                board=self.board.name,
                port=error.port,
                hint="was the board unplugged?",
            ) from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _check_identity(self, identity: BoardIdentity) -> None:
        board = self.board
        if identity.target != board.target.name:
            raise BoardError(
                f"the inventory says {board.target.name}, the board says {identity.target}",
                board=board.name,
                hint=f"correct the entry ({board.where or 'built in'}) or the port",
            )
        if identity.virtual != board.virtual:
            # A virtual result must never pass for silicon's.
            told = "virtual" if board.virtual else "physical"
            raise BoardError(
                f"the inventory says {told}, the board says otherwise",
                board=board.name,
                hint="a virtual board needs `transport: virtual` in its entry",
            )

    # --- When a run fails ---------------------------------------------------------------------

    def _completed(self, request: RunRequest) -> RunRequest:
        """Return the request with what it leaves to the inventory and to the model's size."""
        silence_s = request.silence_s
        if silence_s is None:
            silence_s = silence_of_file_s(request.model)
        return replace(request, engine=request.engine or self.board.engine, silence_s=silence_s)

    def _leave_if_doubtful(self, error: BoardError, restart: Restart | None) -> None:
        """Close a connection whose other end may be dead, busy or confused."""
        if restart is not None or not isinstance(error, EngineError | StreamLostError):
            self._in_doubt = restart is None
            self._disconnect()

    def _named(
        self, error: BoardError, restart: Restart | None, model: bytes, node: int | None
    ) -> BoardError:
        """Return the error that says what happened, where ``error`` says less."""
        if restart is not None:
            return restart_error(
                restart,
                node=node_in_words(model, node),
                symbols=self._symbols,
                board=self.board.name,
                port=error.port,
            )
        if isinstance(error, EngineError) and error.status == _WRONG_TARGET:
            return wrong_target_error(error, model, self.identity.target)
        return error

    def _symbols(self) -> Symbols | None:
        """Return the names of the firmware that runs, where we have its ELF file."""
        firmware = self.identity.firmware_sha256
        if self._elf is not None:
            return symbols_of(self._elf[1], firmware, str(self._elf[0]))
        data = None if self._bundle is None else elf_of(self._bundle)
        try:
            return None if data is None else symbols_of(data, firmware, "the bundle's ELF file")
        except ConfigError as error:
            _LOG.warning("board %r: panics are not decoded: %s", self.board.name, error)
            return None


def _read_elf(path: Path, firmware_sha256: str) -> bytes:
    """Return an ELF file after checking it: better now than when a panic shall be decoded."""
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise ConfigError(f"cannot be read: {cause.strerror}", file=path) from cause
    symbols_of(data, firmware_sha256, str(path))
    return data


def _may_pass(error: BoardError, restart: Restart | None) -> bool:
    """Whether a second try could succeed: the line or the board failed, not the model."""
    return restart is not None or isinstance(error, TransportError)
