"""Serial ports by pyserial: devices, pseudo terminals, ``rfc2217://``, ``socket://`` and others.

The law of this file: nothing else imports ``serial``. A port that cannot be had is a typed error
that says what to do about it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import serial
from serial.tools import list_ports

from espdl_hil.errors import (
    BoardBusyError,
    BoardError,
    BoardNotFoundError,
    DeadlineError,
    DisconnectedError,
    TransportError,
)
from espdl_hil.transport.base import Transport

DEFAULT_BAUD = 115200
_POLL_S = 0.02  # longest wait of one read on a port without a descriptor
_WRITE_DEADLINE_S = 10.0
_READ_BYTES = 65536
_RESET_PULSE_S = 0.1  # EN of the usual board charges a capacitor; esptool holds it as long


@dataclass(frozen=True, slots=True)
class FoundPort:
    """A serial port of this machine.

    Attributes:
        device: path or name to open it by.
        description: what the system says about it.
        vid, pid: USB identifiers; ``None`` where it is no USB device.
        serial_number: of the USB device; empty where it has none.
        location: USB topology, stable for one socket.
        problem: why it cannot be opened; empty where it can. A port without permission is a
            found port, not a missing one.
    """

    device: str
    description: str
    vid: int | None
    pid: int | None
    serial_number: str
    location: str
    problem: str


def found_ports() -> tuple[FoundPort, ...]:
    """Return the serial ports of this machine, sorted by device."""
    return tuple(
        FoundPort(
            device=info.device,
            description=info.description or "",
            vid=info.vid,
            pid=info.pid,
            serial_number=info.serial_number or "",
            location=info.location or "",
            problem=port_problem(info.device),
        )
        for info in sorted(list_ports.comports(), key=lambda info: str(info.device))
    )


class SerialTransport(Transport):
    """An exclusively opened serial port.

    Args:
        url: a device path, or any URL that pyserial opens.
        baud: line rate; ignored where there is none.

    Raises:
        BoardNotFoundError: there is no such port.
        BoardBusyError: another process has it open.
        TransportError: it cannot be opened, for instance without permission.
    """

    def __init__(self, url: str, baud: int = DEFAULT_BAUD) -> None:
        self._url = url
        remote = url.startswith("rfc2217://")
        try:
            # Modem lines stay as pyserial opens them: both asserted, which on the usual
            # DTR/RTS circuit means neither reset nor boot mode, so that opening disturbs nobody.
            self._serial = serial.serial_for_url(
                url,
                baudrate=baud,
                # RFC 2217 negotiates all settings again, slowly, when a timeout changes, and
                # refuses a write timeout; so its timeout is set here, once and for good.
                timeout=_POLL_S if remote else 0,
                write_timeout=None if remote else _WRITE_DEADLINE_S,
                exclusive=None if "://" in url else True,
            )
        except (serial.SerialException, OSError, ValueError) as cause:
            raise _opening_failed(url, cause) from cause
        self._descriptor = self._find_descriptor()

    @property
    def port(self) -> str:
        """The URL or device path."""
        return self._url

    def read(self, deadline_s: float) -> bytes:
        """Return what is there, waiting up to ``deadline_s`` for the first byte."""
        try:
            if self._descriptor is not None:
                if not select.select([self._descriptor], [], [], max(deadline_s, 0.0))[0]:
                    return b""
                return bytes(self._serial.read(_READ_BYTES))
            return self._poll(deadline_s)
        except (serial.SerialException, OSError, TypeError, ValueError) as cause:
            # TypeError and ValueError: pyserial after the descriptor was closed underneath it.
            self._gone(cause)

    def write(self, data: bytes) -> None:
        """Write all of ``data``."""
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as cause:
            raise DeadlineError(
                f"{len(data)} bytes were not taken for {_WRITE_DEADLINE_S:g} s",
                port=self._url,
                hint="the board or its USB bridge hangs; unplug and plug it again",
            ) from cause
        except (serial.SerialException, OSError, TypeError, ValueError) as cause:
            self._gone(cause)

    def close(self) -> None:
        """Close the port."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._serial.close()

    def reset(self) -> bool:
        """Pulse EN by RTS with DTR released; ``False`` where the port has no modem lines."""
        try:
            self._serial.dtr = False
            self._serial.rts = True
            time.sleep(_RESET_PULSE_S)
            self._serial.rts = False
        except OSError as cause:
            if cause.errno in (errno.ENOTTY, errno.EINVAL):
                return False
            self._gone(cause)
        except serial.SerialException as cause:
            self._gone(cause)
        # A socket accepts the lines and does nothing with them.
        return not self._url.startswith("socket://")

    def set_baud(self, baud: int) -> None:
        """Change the line rate."""
        if self._serial.baudrate == baud:
            return  # over RFC 2217 even an unchanged rate is negotiated again
        try:
            self._serial.baudrate = baud
        except (serial.SerialException, OSError, ValueError) as cause:
            raise TransportError(
                f"the port cannot do {baud} baud: {cause}", port=self._url
            ) from cause

    def _find_descriptor(self) -> int | None:
        try:
            return int(self._serial.fileno())
        except (AttributeError, OSError):  # rfc2217 reads in a thread of its own
            return None

    def _poll(self, deadline_s: float) -> bytes:
        # Each read waits up to _POLL_S by itself, see the constructor.
        end = time.monotonic() + deadline_s
        while True:
            data = bytes(self._serial.read(max(1, self._serial.in_waiting)))
            if data or time.monotonic() >= end:
                return data

    def _gone(self, cause: BaseException) -> NoReturn:
        raise DisconnectedError(
            f"the port went away ({cause})",
            port=self._url,
            hint="was the board unplugged, or did its USB device restart?",
        ) from cause


class BorrowedSerialTransport(SerialTransport):
    """A port that somebody else opened: used as it is, given back as it was, never closed.

    Args:
        opened: a pyserial port; nobody else may read it meanwhile.
        reopen: close and open it first, for a port whose device went away and came back.

    Raises:
        TransportError: it is closed, or cannot be opened again.
    """

    def __init__(self, opened: Any, *, reopen: bool = False) -> None:  # noqa: ANN401
        self._url = str(opened.port)
        if reopen:
            with contextlib.suppress(serial.SerialException, OSError):
                opened.close()
            reopen_port(opened)
        if not opened.is_open:
            raise TransportError("its owner has closed the port", port=self._url)
        self._serial = opened
        self._before = (opened.timeout, opened.write_timeout, opened.baudrate)
        if not self._url.startswith("rfc2217://"):
            opened.timeout = 0
            opened.write_timeout = _WRITE_DEADLINE_S
        self._descriptor = self._find_descriptor()

    def close(self) -> None:
        """Give the port back with the settings that it had."""
        timeout, write_timeout, baud = self._before
        # A port that is gone has no settings to restore.
        with contextlib.suppress(serial.SerialException, OSError, ValueError):
            self.set_baud(baud)
            if not self._url.startswith("rfc2217://"):
                self._serial.timeout = timeout
                self._serial.write_timeout = write_timeout


def reopen_port(opened: Any) -> None:  # noqa: ANN401 -- pyserial's types do not agree on ports
    """Open a pyserial port that was closed, with the settings that it had.

    Raises:
        BoardError: as opening a ``SerialTransport``.
    """
    try:
        opened.open()
    except (serial.SerialException, OSError, ValueError) as cause:
        raise _opening_failed(str(opened.port), cause) from cause


def _opening_failed(url: str, cause: Exception) -> BoardError:
    number = getattr(cause, "errno", None)
    if number == errno.EACCES:
        return TransportError(
            "no permission to open the port",
            port=url,
            hint="add your user to the group that owns it (often `sudo usermod -aG dialout "
            "$USER`) and log in again",
        )
    if number == errno.EBUSY or "exclusively lock" in str(cause):
        users = ", ".join(_users_of(url))
        return BoardBusyError(
            f"another program has the port open: {users}" if users else "the port is in use",
            port=url,
            hint="close the serial monitor"
            if users
            else "close the serial monitor; `sudo fuser -v PORT` says which program it is",
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return BoardNotFoundError(
            "there is no such port", port=url, hint="`espdl-hil boards` lists the ports found"
        )
    if "://" in url:
        return TransportError(
            f"the port cannot be opened: {cause}",
            port=url,
            hint="is the machine on, and does its serial server listen there?",
        )
    return TransportError(f"the port cannot be opened: {cause}", port=url)


def _users_of(device: str) -> list[str]:
    """Return the programs that have a device open, as far as this user may see them."""
    real = os.path.realpath(device)
    found = []
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if any(str(file.readlink()) == real for file in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                found.append(f"{name}, process {process.name}")
    return found


def port_problem(device: str) -> str:
    """Return why a port cannot be opened; empty where it can, as far as looking tells."""
    path = Path(device)
    if not path.is_absolute():
        return ""  # a name of another system, where opening is the only way to know
    if not path.exists():
        return "gone"
    return "" if os.access(path, os.R_OK | os.W_OK) else "permission denied"
