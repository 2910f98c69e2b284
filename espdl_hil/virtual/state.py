"""The folder in which a virtual board lives: who it is, its flash, its lock.

The law of this file: one process at a time owns a folder, and a board keeps its MAC address for
as long as its folder exists.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path

from filelock import FileLock, Timeout

from espdl_hil.closing import Closing
from espdl_hil.errors import BoardBusyError, ConfigError
from espdl_hil.virtual.app import Unit
from espdl_hil.virtual.chips import Chip
from espdl_hil.virtual.cpu import EMULATED_FLASH_BYTES
from espdl_hil.virtual.flash import Flash

_IDENTITY = "board.json"
_FLASH = "flash.bin"
_LOCK = "lock"
_PORT = "port"
# A locally administered address cannot be the address of a real board.
_LOCAL_PREFIX = b"\x02"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)


class BoardState(Closing):
    """An owned state folder.

    Args:
        folder: made where it does not exist.
        chip: what the board is; must be what it was before.
        mac: ``"02:00:5e:00:00:01"``; by default kept, or made from the folder's path.

    Raises:
        BoardBusyError: another process owns the folder.
        ConfigError: the folder is another chip's, or the address is malformed.
    """

    def __init__(self, folder: Path, chip: Chip, mac: str | None = None) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / _LOCK)
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise BoardBusyError(
                "another process runs this virtual board",
                board=self.folder.name,
                hint=f"its state folder is {self.folder}; its process id is in {_IDENTITY}",
            ) from error
        try:
            self.unit = Unit(chip, chip.revision, self._address(chip, mac), self.folder / _FLASH)
            self.flash = Flash(self.unit.flash_path, chip.flash_bytes, EMULATED_FLASH_BYTES)
        except BaseException:
            self._lock.release()
            raise
        self._write_identity()

    def publish_port(self, device: str) -> None:
        """Let ``port`` in the folder point to a terminal that changes with each start."""
        link = self.folder / _PORT
        link.unlink(missing_ok=True)
        link.symlink_to(device)

    def close(self) -> None:
        """Give the folder back."""
        with contextlib.suppress(OSError):
            (self.folder / _PORT).unlink(missing_ok=True)
        self.flash.close()
        self._lock.release()

    def _address(self, chip: Chip, mac: str | None) -> bytes:
        known = self._read_identity()
        if known is not None and known["chip"] != chip.name:
            raise ConfigError(
                f"the folder holds a virtual {known['chip']}, not {chip.name}",
                file=self.folder / _IDENTITY,
                hint="name another state folder, or delete this one",
            )
        if mac is None and known is not None:
            mac = known["mac"]
        if mac is None:
            return _LOCAL_PREFIX + hashlib.sha256(str(self.folder).encode()).digest()[:5]
        if not _MAC.fullmatch(mac.lower()):
            raise ConfigError(f"{mac!r} is no MAC address", key="--mac")
        return bytes.fromhex(mac.replace(":", ""))

    def _read_identity(self) -> dict[str, str] | None:
        path = self.folder / _IDENTITY
        try:
            values = json.loads(path.read_text())
            return {"chip": str(values["chip"]), "mac": str(values["mac"])}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError("not a virtual board's identity", file=path) from error

    def _write_identity(self) -> None:
        values = {"chip": self.unit.chip.name, "mac": self.unit.mac_text, "pid": os.getpid()}
        partial = self.folder / (_IDENTITY + ".partial")
        partial.write_text(json.dumps(values) + "\n")
        partial.replace(self.folder / _IDENTITY)
