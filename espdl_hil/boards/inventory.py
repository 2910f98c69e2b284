"""The bench on paper: ``boards.yaml`` and which of its boards a selector means.

The law of this file: it reads one file and opens no port. Every complaint names file, line and key.
A virtual board is used only by one who names it, so that no result is taken for silicon's.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_config_path

from espdl_hil.boards.flashing import DEFAULT_FLASH_BAUD, FlashOptions, ResetStrategy
from espdl_hil.documents import Section, read_document
from espdl_hil.errors import ConfigError
from espdl_hil.runs import Engine
from espdl_hil.targets import FAMILY_TARGETS, TARGETS, Target, target_named

FILE_NAME = "boards.yaml"
ENVIRONMENT = "ESPDL_HIL_BOARDS"
EVERY_BOARD = "all"
DEFAULT_BAUD = 115200
VIRTUAL_TAG = "virtual"
VIRTUAL_CPUS = ("host", "rv32")

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class FlashSettings:
    """How firmware gets onto a board.

    Attributes:
        options: for esptool.
        firmware: folder or zip of the bundle to flash; ``None`` takes the one given by the caller.
        allowed: whether we may flash the board at all.
    """

    options: FlashOptions = field(default_factory=FlashOptions)
    firmware: Path | None = None
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class Board:
    """One unit of the bench.

    Attributes:
        name: what people and results call it.
        target: the chip, as the numbers see it.
        virtual: a process on this machine; shown wherever a result appears.
        port: device path or pyserial URL; empty where the board is found by USB, and for virtual
            boards that a session starts by itself.
        usb_serial: serial number of the USB device (of a USB-Serial-JTAG: the MAC address).
        baud: line rate that the firmware starts with.
        fast_baud: rate to change to after the hello; ``None`` stays.
        tags: words to select it by.
        flash: how to flash it.
        engine: the engine to use where a request names none; ``None`` takes the firmware's.
        state: folder of a virtual board; ``None`` takes the default.
        cpu: what executes a virtual board's firmware: ``"host"``, or ``"rv32"`` in QEMU, whose
            latencies count instructions.
        faults: a virtual board's injected faults, as its program takes them.
        seed: of random faults.
        where: ``file:line`` of the entry; empty for built-in ones.
    """

    name: str
    target: Target
    virtual: bool
    port: str = ""
    usb_serial: str = ""
    baud: int = DEFAULT_BAUD
    fast_baud: int | None = None
    tags: tuple[str, ...] = ()
    flash: FlashSettings = field(default_factory=FlashSettings)
    engine: Engine | None = None
    state: Path | None = None
    cpu: str = "host"
    faults: tuple[str, ...] = ()
    seed: int = 0
    where: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The boards of one file, or the built-in ones.

    Attributes:
        boards: in the order of the file.
        file: where they were read; ``None`` for the built-in inventory.
    """

    boards: tuple[Board, ...]
    file: Path | None = None

    def select(self, selectors: Iterable[str]) -> tuple[Board, ...]:
        """Return the boards that the selectors mean, each once, in the order asked.

        A selector is NAME, TARGET, TAG or ``all``, or several joined by commas. TARGET and
        ``all`` mean physical boards; virtual ones come by NAME or TAG.

        Raises:
            ConfigError: a selector means no board; the message lists what there is.
        """
        words = [word.strip() for selector in selectors for word in selector.split(",")]
        found: dict[str, Board] = {}
        for word in words:
            if word:
                found.update({board.name: board for board in self._meant_by(word)})
        return tuple(found.values())

    def named(self, name: str) -> Board:
        """Return the one board called ``name``; also where a selector means exactly one.

        Raises:
            ConfigError: no board, or more than one.
        """
        boards = self.select([name])
        if len(boards) != 1:
            names = ", ".join(board.name for board in boards) or "none"
            raise ConfigError(f"{name!r} means {len(boards)} boards ({names}), give one name")
        return boards[0]

    def _meant_by(self, word: str) -> tuple[Board, ...]:
        for board in self.boards:
            if board.name == word:
                return (board,)
        tagged = tuple(board for board in self.boards if word in board.tags)
        if tagged:
            return tagged
        everything = word == EVERY_BOARD
        if not everything and word not in {target.name for target in TARGETS}:
            raise self._unknown(word)
        fitting = [board for board in self.boards if everything or board.target.name == word]
        physical = tuple(board for board in fitting if not board.virtual)
        if not physical:
            names = ", ".join(board.name for board in fitting)
            kind = "board" if everything else f"{word} board"
            raise ConfigError(
                f"there is no physical {kind} in the inventory",
                file=self.file,
                key=word,
                hint=f"virtual boards must be named: {names}" if names else self._listing(),
            )
        return physical

    def _unknown(self, word: str) -> ConfigError:
        known = [board.name for board in self.boards]
        known += sorted({tag for board in self.boards for tag in board.tags})
        close = difflib.get_close_matches(word, known, n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        return ConfigError(
            f"no board has the name, target or tag {word!r}",
            file=self.file,
            hint=meant + self._listing(),
        )

    def _listing(self) -> str:
        names = ", ".join(board.name for board in self.boards) or "none"
        tags = ", ".join(sorted({tag for board in self.boards for tag in board.tags})) or "none"
        return f"boards: {names}; tags: {tags}; targets name physical boards; all"


def select_boards(inventory: Inventory, selectors: Iterable[str]) -> tuple[Board, ...]:
    """Return the boards that the selectors mean; see ``Inventory.select``."""
    return inventory.select(selectors)


def built_in_inventory() -> Inventory:
    """Return the inventory of a machine without any file: a virtual board of each family."""
    boards = (
        Board(f"virtual-{target.name}", target, virtual=True, tags=(VIRTUAL_TAG,))
        for target in FAMILY_TARGETS
    )
    return Inventory(tuple(boards))


def load_inventory(
    path: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Inventory:
    """Return the inventory that applies here.

    Looked for in this order: ``path``; ``$ESPDL_HIL_BOARDS``; ``boards.yaml`` in ``folder`` and
    above it; ``boards.yaml`` in the user's configuration folder; the built-in virtual boards.

    Args:
        path: the file that someone named; it must exist.
        environment: instead of the process's.
        folder: where to begin; ``None`` is the current one.

    Raises:
        ConfigError: the file cannot be read or says something wrong.
    """
    if path is not None:
        return read_inventory(path)
    named = (os.environ if environment is None else environment).get(ENVIRONMENT)
    if named:
        return read_inventory(Path(named))
    start = (Path.cwd() if folder is None else folder).resolve()
    candidates = [above / FILE_NAME for above in (start, *start.parents)]
    candidates.append(user_config_path("espdl-hil", appauthor=False) / FILE_NAME)
    for candidate in candidates:
        if candidate.is_file():
            return read_inventory(candidate)
    return built_in_inventory()


def read_inventory(path: Path) -> Inventory:
    """Read one ``boards.yaml``.

    Raises:
        ConfigError: with file, line and key.
    """
    document = read_document(path)
    section = document.section("boards")
    document.finish()
    boards = tuple(_read_board(name, entry) for name, entry in section.sections())
    for at, (name, entry) in enumerate(section.sections()):
        board = boards[at]
        taken = {*(other.name for other in boards), EVERY_BOARD, *_target_names()}
        for tag in board.tags:
            if tag in taken:
                raise entry.error(f"tag {tag!r} is the name of a board or target", "tags")
        for other in boards[:at]:
            if _same_line(board, other):
                raise section.error(f"has the same port as {other.name!r}", name)
    return Inventory(boards, path)


def _read_board(name: str, entry: Section) -> Board:
    if not _WORD.fullmatch(name):
        raise entry.error(f"{name!r} is no name: letters, digits, '.', '_' and '-'")
    if name == EVERY_BOARD or name in _target_names():
        raise entry.error(f"a board cannot be called {name!r}: selectors use that word")
    target = target_named(entry.choice("target", _target_names()))
    ways = [key for key in ("transport", "port", "usb_serial") if key in entry]
    if not ways:
        entry.refuse_misspelt("transport", "port", "usb_serial")
    if len(ways) != 1 and ways != ["transport", "port"]:
        raise entry.error(
            f"needs exactly one of transport, port, usb_serial; has {', '.join(ways) or 'none'}",
            hint="transport: virtual (with a port where it runs already) | port: /dev/ttyUSB0 or a "
            "pyserial URL | usb_serial: TEXT",
        )
    tags = entry.texts("tags", ())
    for tag in tags:
        if not _WORD.fullmatch(tag):
            raise entry.error(f"{tag!r} is no tag: letters, digits, '.', '_' and '-'", "tags")
    board = (
        _read_virtual(name, target, tags, entry)
        if "transport" in ways
        else _read_physical(name, target, tags, entry)
    )
    entry.finish()
    return board


def _read_virtual(name: str, target: Target, tags: Sequence[str], entry: Section) -> Board:
    entry.choice("transport", ("virtual",))
    state = entry.text("state") if "state" in entry else None
    return Board(
        name,
        target,
        virtual=True,
        port=entry.text("port", ""),
        # Whoever asks for tag `virtual` means every virtual board, whatever its entry says.
        tags=tuple(dict.fromkeys((*tags, VIRTUAL_TAG))),
        flash=_read_flash(entry),
        engine=_read_engine(entry),
        state=None if state is None else (entry.file.parent / state).absolute(),
        cpu=entry.choice("cpu", VIRTUAL_CPUS) if "cpu" in entry else VIRTUAL_CPUS[0],
        faults=entry.texts("faults", ()),
        seed=entry.integer("seed", 0, low=0),
        where=f"{entry.file}:{entry.line}",
    )


def _read_physical(name: str, target: Target, tags: Sequence[str], entry: Section) -> Board:
    if VIRTUAL_TAG in tags:
        raise entry.error("a physical board cannot have this tag", "tags")
    return Board(
        name,
        target,
        virtual=False,
        port=entry.text("port", ""),
        usb_serial=entry.text("usb_serial", ""),
        baud=entry.integer("baud", DEFAULT_BAUD, low=300),
        fast_baud=entry.integer("fast_baud", low=300) if "fast_baud" in entry else None,
        tags=tuple(dict.fromkeys(tags)),
        flash=_read_flash(entry),
        engine=_read_engine(entry),
        where=f"{entry.file}:{entry.line}",
    )


def _read_flash(entry: Section) -> FlashSettings:
    if "flash" not in entry:
        return FlashSettings()
    flash = entry.section("flash")
    resets = {strategy.name.lower(): strategy for strategy in ResetStrategy}
    settings = FlashSettings(
        FlashOptions(
            baud=flash.integer("baud", DEFAULT_FLASH_BAUD, low=300),
            reset=resets[flash.choice("reset", list(resets))] if "reset" in flash else None,
            stub=flash.flag("stub", True),
        ),
        firmware=flash.file.parent / flash.text("firmware") if "firmware" in flash else None,
        allowed=flash.flag("allowed", True),
    )
    flash.finish()
    return settings


def _read_engine(entry: Section) -> Engine | None:
    if "engine" not in entry:
        return None
    return Engine(entry.choice("engine", [engine.value for engine in Engine]))


def _target_names() -> list[str]:
    return [target.name for target in TARGETS]


def _same_line(one: Board, other: Board) -> bool:
    if one.port or one.usb_serial:
        return (one.port, one.usb_serial) == (other.port, other.usb_serial)
    return one.state is not None and one.state == other.state
