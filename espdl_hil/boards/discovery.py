"""Which port a board is on now, and whether we may open it.

The law of this file: it looks and touches nothing. A port without permission is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from espdl_hil.boards.inventory import Board
from espdl_hil.errors import BoardError, BoardNotFoundError, TransportError
from espdl_hil.transport import FoundPort, port_problem

PERMISSION_HINT = (
    "add your user to the group that owns the port (often `sudo usermod -aG dialout $USER`) "
    "and log in again"
)
_ESPRESSIF_VID = 0x303A
_BRIDGES = {
    (0x10C4, 0xEA60): "CP210x",
    (0x1A86, 0x55D4): "CH9102",
    (0x1A86, 0x7523): "CH340",
    (0x0403, 0x6001): "FT232R",
    (0x0403, 0x6010): "FT2232",
    (_ESPRESSIF_VID, 0x1001): "USB-Serial-JTAG",
}


class Accessibility(Enum):
    """What stands between us and a board."""

    VIRTUAL = "virtual"
    READY = "ready"
    NO_PERMISSION = "permission denied"
    NO_PORT = "not a serial port"
    ABSENT = "not found"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a board is.

    Attributes:
        board: the entry.
        access: whether it can be opened.
        port: device or URL to open; empty where there is none now.
        identity: what stays the same when the board moves to another port.
    """

    board: Board
    access: Accessibility
    port: str
    identity: str


def find_board(board: Board, ports: Sequence[FoundPort]) -> Finding:
    """Return where ``board`` is, given the ports of this machine. Nothing is raised."""
    if board.virtual and not board.port:
        return Finding(board, Accessibility.VIRTUAL, "", f"virtual-{board.name}")
    if "://" in board.port:
        return Finding(board, Accessibility.REMOTE, board.port, board.port)
    found = next((port for port in ports if _is_port_of(board, port)), None)
    if found is None:
        return _unlisted(board)
    access = Accessibility.NO_PERMISSION if found.problem else Accessibility.READY
    identity = f"usb-{found.serial_number}" if found.serial_number else str(_real(found.device))
    return Finding(board, access, found.device, identity)


def demand_port(finding: Finding) -> str:
    """Return the port to open.

    Raises:
        BoardNotFoundError: the board is not plugged in.
        TransportError: it is, but we may not open it.
    """
    board = finding.board
    match finding.access:
        case Accessibility.ABSENT:
            raise BoardNotFoundError(
                f"no device with serial number {board.usb_serial!r}"
                if board.usb_serial
                else "there is no such port",
                board=board.name,
                port=board.port,
                hint="is it plugged in? `espdl-hil boards` lists the ports found",
            )
        case Accessibility.NO_PERMISSION:
            raise TransportError(
                "no permission to open the port",
                board=board.name,
                port=finding.port,
                hint=PERMISSION_HINT,
            )
        case Accessibility.NO_PORT:
            raise TransportError(
                "a file or folder, not a serial port",
                board=board.name,
                port=finding.port,
                hint="correct `port` in the inventory; `espdl-hil boards` lists the ports found",
            )
        case Accessibility.VIRTUAL:
            raise BoardError("a virtual board has no port before it runs", board=board.name)
        case Accessibility.READY | Accessibility.REMOTE:
            return finding.port


def unclaimed(findings: Sequence[Finding], ports: Sequence[FoundPort]) -> tuple[FoundPort, ...]:
    """Return the USB ports that no board of the inventory is on: candidates for new entries."""
    claimed = {_real(finding.port) for finding in findings if finding.port}
    return tuple(
        port for port in ports if port.vid is not None and _real(port.device) not in claimed
    )


def port_kind(port: FoundPort) -> str:
    """Return what chip the port's USB identifiers stand for; its description where unknown."""
    return _BRIDGES.get((port.vid or 0, port.pid or 0), port.description)


def _is_port_of(board: Board, port: FoundPort) -> bool:
    if board.usb_serial:
        return _plain(port.serial_number) == _plain(board.usb_serial)
    return _real(port.device) == _real(board.port)


def _unlisted(board: Board) -> Finding:
    """A port that the system does not list: a pseudo terminal, a link, or nothing."""
    path = Path(board.port)
    if board.usb_serial or not path.exists():
        identity = f"usb-{board.usb_serial}" if board.usb_serial else board.port
        return Finding(board, Accessibility.ABSENT, "", identity)
    access = Accessibility.READY
    if path.is_file() or path.is_dir():
        access = Accessibility.NO_PORT
    elif port_problem(board.port):
        access = Accessibility.NO_PERMISSION
    return Finding(board, access, board.port, str(_real(board.port)))


def _plain(serial_number: str) -> str:
    return serial_number.replace(":", "").replace("-", "").lower()


def _real(device: str) -> Path:
    # by-id links and udev names lead to the same device
    return Path(device).resolve() if device.startswith("/") else Path(device)
