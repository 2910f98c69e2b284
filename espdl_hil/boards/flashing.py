"""Writing firmware to a board with the esptool program.

The law of this file: nothing else knows esptool, and it runs as a child process: its licence, its
way to fail and its open descriptors stay on its side.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from espdl_hil.boards.firmware import FirmwareBundle
from espdl_hil.errors import FlashError

_LOG = logging.getLogger(__name__)

DEFAULT_FLASH_BAUD = 460800
SAFE_FLASH_BAUD = 115200
"""The rate of every chip's ROM, for a second try on a line that loses bytes at a higher one."""
_TERMINATE_S = 2.0
_LAST_LINES = 8
_READ_BYTES = 4096
_PROGRESS = re.compile(r"Writing at (0x[0-9a-f]+)\b.*?([0-9.]+)%")
_CHIP = re.compile(r"Chip (?:type|is):?\s+(.+)")
_MAC = re.compile(r"MAC:\s+([0-9a-f:]{17})")
_SKIPPED = re.compile(r"'(.+)' at (0x[0-9a-f]+) already in flash")
_VERIFIED = "Hash of data verified."
_WRONG_CHIP = re.compile(r"This chip is (\S+?), not (\S+?)\.")
_FATAL = re.compile(r"A fatal error occurred: (.*)", re.DOTALL)
_FATAL_CODE = 2
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class ResetStrategy(Enum):
    """How esptool gets the chip into its loader, and out of it (``--before``, ``--after``)."""

    LINES = ("default-reset", "hard-reset")
    """A board with EN and IO0 on the port's control lines."""
    USB = ("usb-reset", "hard-reset")
    """A chip's own USB-Serial-JTAG."""
    WATCHDOG = ("default-reset", "watchdog-reset")
    """Lines that can enter the loader only; the chip's watchdog leaves it."""
    NONE = ("no-reset", "no-reset")
    """A pseudo terminal: asking for the loader and closing the port do it."""

    @staticmethod
    def for_port(port: str) -> ResetStrategy:
        """Return the strategy that fits the kind of port."""
        real = os.path.realpath(port) if "://" not in port else port
        return ResetStrategy.NONE if real.startswith("/dev/pts/") else ResetStrategy.LINES


@dataclass(frozen=True, slots=True)
class FlashOptions:
    """How to flash.

    Attributes:
        baud: line rate while writing.
        reset: ``None`` takes what fits the port.
        deadline_s: for everything together.
        stub: let esptool upload its faster loader.
        skip_flashed: leave parts alone that are in flash already (compared by MD5 on the chip).
    """

    baud: int = DEFAULT_FLASH_BAUD
    reset: ResetStrategy | None = None
    deadline_s: float = 300.0
    stub: bool = True
    skip_flashed: bool = True


@dataclass(frozen=True, slots=True)
class FlashProgress:
    """Where writing is: the part, and how much of it is done (0 to 1)."""

    file: str
    fraction: float


@dataclass(frozen=True, slots=True)
class FlashReport:
    """What was done.

    Attributes:
        chip: description of the chip, from esptool.
        mac: of the chip; empty where esptool did not say.
        written: files written and verified.
        skipped: files that were in flash already.
        duration_s: wall time, all tries together.
        tries: 2 where the line failed once.
    """

    chip: str
    mac: str
    written: tuple[str, ...]
    skipped: tuple[str, ...]
    duration_s: float
    tries: int = 1


def flash(
    port: str,
    bundle: FirmwareBundle,
    options: FlashOptions | None = None,
    progress: Callable[[FlashProgress], None] | None = None,
) -> FlashReport:
    """Write a bundle to the board on ``port`` and let it boot.

    A line that fails while esptool talks to the chip gets a second try, at ``SAFE_FLASH_BAUD`` at
    most; what the first one wrote is skipped, unless ``skip_flashed`` is off.

    Args:
        port: device or pyserial URL; nothing else may have it open.
        bundle: checked when it was read; esptool verifies each part in flash again.
        options: defaults fit boards with reset lines, and pseudo terminals.
        progress: called as writing goes on.

    Raises:
        FlashError: another chip, no chip, a port in use, a line that failed twice, verification
            failed, or the deadline passed; it quotes esptool's last lines.
    """
    options = options or FlashOptions()
    started_s = time.monotonic()
    until_s = started_s + options.deadline_s
    with tempfile.TemporaryDirectory(prefix="espdl-hil-flash-") as folder:
        for part in bundle.parts:
            (Path(folder) / part.file).write_bytes(part.data)
        rates = (options.baud, min(options.baud, SAFE_FLASH_BAUD))
        for tries, baud in enumerate(rates, start=1):
            reader = _OutputReader(bundle, progress)
            try:
                _write(port, bundle, replace(options, baud=baud), reader, Path(folder), until_s)
                break
            except FlashError as error:
                if tries == len(rates) or not reader.line_failed:
                    raise
                _LOG.warning("%s: %s; it is tried once more", port, error.what)
    return FlashReport(
        reader.chip,
        reader.mac,
        tuple(reader.written),
        tuple(reader.skipped),
        time.monotonic() - started_s,
        tries,
    )


def _write(
    port: str,
    bundle: FirmwareBundle,
    options: FlashOptions,
    reader: _OutputReader,
    folder: Path,
    until_s: float,
) -> None:
    """Run esptool once; ``reader`` gets what it says."""
    with _child(esptool_command(port, bundle, options), folder) as child:
        for text in _lines(child, until_s):
            reader.read(text)
        if child.poll() is None:
            raise reader.error(port, f"not done after {options.deadline_s:g} s")
    if child.returncode != 0:
        raise reader.error(
            port,
            f"esptool ended with code {child.returncode} at {options.baud} baud",
            fatal=child.returncode == _FATAL_CODE,
        )
    missing = {part.file for part in bundle.parts} - set(reader.written) - set(reader.skipped)
    if missing:
        raise reader.error(port, f"esptool did not confirm {', '.join(sorted(missing))}")


def esptool_command(port: str, bundle: FirmwareBundle, options: FlashOptions) -> list[str]:
    """Return the command line; files are named relative to the folder that holds them."""
    before, after = (options.reset or ResetStrategy.for_port(port)).value
    command = [sys.executable, "-m"]
    if port.startswith("rfc2217://"):
        # esptool on pyserial's own port takes half a minute for what takes two seconds.
        command += ["espdl_hil.transport.urls"]
    command += ["esptool", "--chip", bundle.target, "--port", port]
    command += ["--baud", str(options.baud), "--before", before, "--after", after]
    command += [] if options.stub else ["--no-stub"]
    command += ["write-flash"]
    command += ["--skip-flashed"] if options.skip_flashed else []
    for part in bundle.parts:
        command += [f"{part.offset:#x}", part.file]
    return command


class _OutputReader:
    """Makes sense of what one run of esptool prints.

    Attributes:
        chip, mac, written, skipped: as in ``FlashReport``, so far.
        line_failed: it ended because the chip was there and then was not understood.
    """

    def __init__(
        self, bundle: FirmwareBundle, progress: Callable[[FlashProgress], None] | None
    ) -> None:
        self._bundle = bundle
        self._progress = progress
        self._current = bundle.parts[0].file
        self._last: list[str] = []
        self.chip = ""
        self.mac = ""
        self.written: list[str] = []
        self.skipped: list[str] = []
        self.line_failed = False

    def read(self, text: str) -> None:
        if match := _PROGRESS.search(text):
            if self._progress is not None:
                self._progress(FlashProgress(self._current, float(match[2]) / 100))
            return
        for part in self._bundle.parts:
            if text.startswith(f"Writing '{part.file}'"):
                self._current = part.file
        if match := _CHIP.match(text):
            self.chip = match[1].strip()
        if match := _MAC.match(text):
            self.mac = match[1]
        if match := _SKIPPED.search(text):
            self.skipped.append(match[1])
        if text.startswith(_VERIFIED):
            self.written.append(self._current)
        if text.strip():
            self._last = [*self._last, text.rstrip()][-_LAST_LINES:]

    def error(self, port: str, what: str, *, fatal: bool = False) -> FlashError:
        """Return the error that tells ``what``; ``fatal`` where esptool itself gave up."""
        said = "\n".join(self._last)
        if match := _WRONG_CHIP.search(said):
            return FlashError(
                f"the chip is {match[1]}, the firmware is for {self._bundle.target}",
                port=port,
                hint="wrong board on this port, or wrong target in boards.yaml",
            )
        quoted = _FATAL.search(said)
        reason = quoted[1] if quoted else said
        hint = ""
        if "busy or doesn't exist" in said:
            hint = "is the port right, and does nothing else (a monitor?) have it open?"
        elif "No module named esptool" in said:
            hint = "install esptool into this Python environment"
        elif "Failed to connect" in said:
            hint = "is it powered? hold BOOT while you press RESET, then try again"
        elif fatal and self.chip:
            # By the chip and not by the words: esptool has a dozen for a line that loses bytes.
            self.line_failed = True
            hint = "another cable, without a hub; or a lower `baud:` under `flash:` in boards.yaml"
        return FlashError(f"{what}\nesptool: {reason}", port=port, hint=hint)


@contextlib.contextmanager
def _child(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and end it whatever happens, Ctrl-C among it."""
    # Plain, wide text without colours; and nobody's esptool.cfg from the present folder.
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    environment["PYTHONUNBUFFERED"] = "1"
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(_TERMINATE_S)
            except subprocess.TimeoutExpired:
                child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _lines(child: subprocess.Popen[bytes], until_s: float) -> Iterator[str]:
    """Yield lines, also those that a carriage return would overwrite, until end or deadline."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    partial = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left_s := until_s - time.monotonic()) > 0:
            if not selector.select(left_s):
                continue
            data = os.read(descriptor, _READ_BYTES)
            if not data:
                break
            *whole, partial = re.split(rb"[\r\n]+", partial + data)
            yield from (_plain(text) for text in whole)
    yield _plain(partial)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(max(0.0, until_s - time.monotonic()))


def _plain(text: bytes) -> str:
    return _ANSI.sub("", text.decode("utf-8", "replace"))
