"""One user per board across processes: a file lock that the system frees when its holder dies.

The law of this file: the lock decides, the note beside it only tells. A stale note can never keep
anybody out.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from espdl_hil.errors import BoardBusyError, BoardError

ENVIRONMENT = "ESPDL_HIL_LOCKS"
_SHARED_MODE = 0o666  # users of one lab PC lock each other out, so all must be able to open it
# Not sticky: there, Linux forbids opening other users' files for writing (protected_regular).
_FOLDER_MODE = 0o777


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a board.

    Attributes:
        pid: process id on ``host``.
        user, host: whose process and where.
        since: seconds since the epoch.
        command: the program, for people.
    """

    pid: int
    user: str
    host: str
    since: float
    command: str

    def __str__(self) -> str:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"{self.user}@{self.host}, process {self.pid} ({self.command}), since {started}"


def lock_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder that all users of this machine share; ``$ESPDL_HIL_LOCKS`` overrides."""
    named = (os.environ if environment is None else environment).get(ENVIRONMENT)
    return Path(named) if named else Path(tempfile.gettempdir()) / "espdl-hil-locks"


class BoardLock:
    """The right to use one board; a context manager.

    Args:
        identity: what stays the same when the board changes its port.
        folder: where locks are; ``None`` is the shared one.
        board: name for messages.
    """

    def __init__(self, identity: str, folder: Path | None = None, board: str = "") -> None:
        self._folder = lock_folder() if folder is None else folder
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", identity)[-40:]
        digest = hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]
        self._note = self._folder / f"{readable}-{digest}.json"
        self._lock = FileLock(self._note.with_suffix(".lock"), mode=_SHARED_MODE)
        self._board = board

    def acquire(self, wait_s: float = 0.0) -> None:
        """Take the board, waiting up to ``wait_s`` for its holder.

        Raises:
            BoardBusyError: somebody else has it; the message says who.
        """
        try:
            _make_shared(self._folder)
            # Polling is how file locks wait; a wait of zero tries once.
            self._lock.acquire(timeout=max(wait_s, 0.0))
        except Timeout as cause:
            holder = self.holder()
            raise BoardBusyError(
                f"the board is in use by {holder or 'another process'}",
                board=self._board,
                hint="wait for it, or end that process; the lock is freed with it",
            ) from cause
        except OSError as cause:
            raise BoardError(
                f"the lock cannot be taken: {cause}",
                board=self._board,
                hint=f"set ${ENVIRONMENT} to a folder that all users of this machine can write",
            ) from cause
        self._write_note()

    def release(self) -> None:
        """Give the board back; nothing happens where it is not ours."""
        if self._lock.is_locked:
            self._note.unlink(missing_ok=True)
            self._lock.release()

    def holder(self) -> Holder | None:
        """Return who noted that they have the board; ``None`` where nobody did."""
        try:
            values = json.loads(self._note.read_text())
            return Holder(
                pid=int(values["pid"]),
                user=str(values["user"]),
                host=str(values["host"]),
                since=float(values["since"]),
                command=str(values["command"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def seen_from_outside(self) -> Holder | None:
        """Return who has the board now, without keeping it; ``None`` where it is free."""
        if not self._folder.is_dir():
            return None
        try:
            with self._lock.acquire(timeout=0.0):
                return None
        except Timeout:
            return self.holder() or Holder(0, "unknown", "unknown", 0.0, "unknown")

    def __enter__(self) -> BoardLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _write_note(self) -> None:
        holder = Holder(
            pid=os.getpid(),
            user=_user(),
            host=socket.gethostname(),
            since=time.time(),
            command=_command(),
        )
        partial = self._note.with_suffix(f".{os.getpid()}")
        # Without a note others only learn less; the lock is what counts.
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps(asdict(holder)))
            partial.replace(self._note)


def _make_shared(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    with contextlib.suppress(OSError):
        folder.chmod(_FOLDER_MODE)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run a user without a name
        return str(os.getuid())


def _command() -> str:

    return Path(sys.argv[0] or "python").name
