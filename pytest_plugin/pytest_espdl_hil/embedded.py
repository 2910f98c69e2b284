"""Models over a pytest-embedded ``dut``: the fixture ``hil_dut`` of the extra ``embedded``.

The law of this file: it imports nothing of pytest-embedded. What it takes from a ``dut`` is public
there: ``dut.serial`` with its port, its redirect thread and its reset, and ``dut.app``.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from espdl_hil.results.records import CheckRecord
from pytest_espdl_hil.items import checker_of
from pytest_espdl_hil.reporting import require_passed

if TYPE_CHECKING:
    from espdl_hil.boards.borrowed import Lender
    from espdl_hil.boards.firmware import FirmwareBundle
    from espdl_hil.boards.inventory import Board
    from espdl_hil.boards.session import BoardSession
    from espdl_hil.ir.types import Array
    from espdl_hil.runs import RunRequest, RunResult

DUT_BOARD: pytest.StashKey[Board] = pytest.StashKey()
"""On an item: the board behind the ``dut`` that it used last."""

_THEIR_PLUGIN = "pytest_embedded"
_NOT_INSTALLED = (
    "hil_dut runs models over the `dut` of pytest-embedded, which is not there: "
    "pip install 'espdl-hil[embedded]', and run with --embedded-services esp (or serial)"
)
_NO_RUNNER = (
    "build firmware/ and run it as this test's app (--embedded-services esp,idf), or return a "
    "bundle from the fixture hil_firmware"
)
_NO_PORT = "hil_dut needs a serial port: run with --embedded-services serial, esp or esp,idf"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user of pytest-embedded asked for, as far as it is about a board.

    Attributes:
        target: ``--target``; empty where nobody named one.
        firmware: of the fixture ``hil_firmware``.
        flash: whether we may write it (``--skip-autoflash`` forbids).
        esptool_baud: ``--esptool-baud``; ``None`` takes ours.
    """

    target: str = ""
    firmware: Path | None = None
    flash: bool = True
    esptool_baud: int | None = None


class ModelsOnDut:
    """Runs models on the board behind one ``dut``.

    While a model runs, the port is ours: the redirect thread of the ``dut`` rests, and what the
    board says in words goes into its log all the same. Between two calls it is theirs.

    Attributes:
        dut: theirs.
    """

    def __init__(self, dut: Any, log: Any, wishes: Wishes, request: pytest.FixtureRequest) -> None:  # noqa: ANN401
        """Nothing is sent yet; ``log`` is the queue that their redirect thread writes to."""
        self.dut = dut
        self._log = log
        self._wishes = wishes
        self._node: pytest.Item = request.node
        self._config = request.config

    @contextlib.contextmanager
    def session(self) -> Iterator[BoardSession]:
        """The open session with the board; the port goes back at the end, whatever happens.

        Raises:
            BoardError: no runner answers, or any other fault of the bench.
            ConfigError: ``hil_firmware`` is for another chip, or no bundle.
        """
        from espdl_hil.boards.borrowed import BorrowedLine, Lender, unknown_board
        from espdl_hil.boards.flash_plan import FlashPolicy
        from espdl_hil.boards.session import open_session

        serial = self.dut.serial
        with self._resting(serial):
            lender = Lender(serial.proc, getattr(serial, "hard_reset", None))
            self._node.stash[DUT_BOARD] = unknown_board(lender)  # until it told more
            bundle = self._bundle()
            board, firmware_sha256 = self._board(lender, bundle)
            self._node.stash[DUT_BOARD] = board
            with open_session(
                board,
                firmware=bundle,
                flash=FlashPolicy.NEVER if bundle is None else FlashPolicy.IF_NEEDED,
                line=BorrowedLine(lender),
                elf=self._elf(firmware_sha256),
                hear=self._log.put,
            ) as session:
                yield session

    def run(self, request: RunRequest, deadline_s: float | None = None) -> RunResult:
        """Run one request; see ``BoardSession.run``."""
        with self.session() as session:
            return session.run(request, deadline_s)

    def check(
        self,
        path: str | Path,
        inputs: Mapping[str, Array] | None = None,
        *,
        vectors: int = 2,
        sequence: bool = False,
        member: str | None = None,
        key: bytes | None = None,
        preflight: bool = True,
    ) -> CheckRecord:
        """Run an ``.espdl`` file and fail where an integer differs, as ``hil_check`` does.

        Returns:
            The record, whose latency and memory a test may judge further.
        """
        with self.session() as session:
            checker, board = checker_of(self._config), session.board
            prepared = checker.take(
                Path(path),
                board.target,
                inputs=inputs,
                vectors=vectors,
                sequence=sequence,
                member=member,
                key=key,
                preflight=preflight,
            )
            record = checker.check(prepared, board, session)
        return require_passed(self._node, record)

    @contextlib.contextmanager
    def _resting(self, serial: Any) -> Iterator[None]:  # noqa: ANN401 -- their class
        """Stop the redirect thread; start it again even after an error.

        Their ``disable_redirect_thread`` does not, where its body raises.
        """
        ran = serial.stop_redirect_thread()
        try:
            yield
        finally:
            if ran and serial.proc.is_open:
                serial.start_redirect_thread()

    def _bundle(self) -> FirmwareBundle | None:
        from espdl_hil.boards.firmware import read_bundle

        wishes = self._wishes
        return read_bundle(wishes.firmware) if wishes.firmware and wishes.flash else None

    def _board(self, lender: Lender, bundle: FirmwareBundle | None) -> tuple[Board, str]:
        """The entry of the board on the port, and the firmware that it has.

        The board itself says whether it is virtual; its target must be the one asked for.
        """
        from espdl_hil.boards.borrowed import ask_identity
        from espdl_hil.boards.connection import NoFirmwareError
        from espdl_hil.boards.flashing import DEFAULT_FLASH_BAUD, FlashOptions
        from espdl_hil.boards.inventory import Board, FlashSettings
        from espdl_hil.targets import target_named

        try:
            identity = ask_identity(lender, self._log.put)
            target, virtual = identity.target, identity.virtual
            firmware = identity.firmware_sha256
        except NoFirmwareError as error:
            if bundle is None:
                raise NoFirmwareError(error.what, port=lender.port, hint=_NO_RUNNER) from error
            target, virtual, firmware = bundle.target, bundle.virtual, ""
        options = FlashOptions(baud=self._wishes.esptool_baud or DEFAULT_FLASH_BAUD)
        board = Board(
            f"dut-{target}",
            target_named(self._wishes.target or target),
            virtual,
            port=lender.port,
            baud=int(lender.opened.baudrate),
            flash=FlashSettings(options),
            where="--target",
        )
        return board, firmware

    def _elf(self, firmware_sha256: str) -> Path | None:
        """Their app's ELF file where their app is what runs: it decodes our panics."""
        name = getattr(getattr(self.dut, "app", None), "elf_file", None)
        if not name or not Path(name).is_file():
            return None
        same = hashlib.sha256(Path(name).read_bytes()).hexdigest() == firmware_sha256
        return Path(name) if same else None


@pytest.fixture(scope="session")
def hil_firmware() -> Path | None:
    """The runner that ``hil_dut`` flashes where the board has another one or none.

    By default nothing is flashed. Override it to return a bundle (folder or zip).
    """
    return None


@pytest.fixture
def hil_dut(
    request: pytest.FixtureRequest, hil_firmware: Path | None
) -> ModelsOnDut | tuple[ModelsOnDut, ...]:
    """Models on the board of pytest-embedded's ``dut``; a tuple where ``--count`` makes several."""
    if not request.config.pluginmanager.has_plugin(_THEIR_PLUGIN):
        pytest.fail(_NOT_INSTALLED, pytrace=False)
    duts, logs, target, skip, baud = (
        request.getfixturevalue(name)
        for name in ("dut", "msg_queue", "target", "skip_autoflash", "esptool_baud")
    )
    several = isinstance(duts, tuple)

    def at(value: Any, index: int) -> Any:  # noqa: ANN401 -- their values
        return value[index] if isinstance(value, tuple) else value

    made = []
    for index, dut in enumerate(duts if several else (duts,)):
        if not hasattr(getattr(dut, "serial", None), "proc"):
            pytest.fail(_NO_PORT, pytrace=False)
        wishes = Wishes(
            target=at(target, index) or "",
            firmware=hil_firmware,
            flash=not at(skip, index),
            esptool_baud=int(at(baud, index)) if at(baud, index) else None,
        )
        made.append(ModelsOnDut(dut, at(logs, index), wishes, request))
    return tuple(made) if several else made[0]
