"""A child program as a board: its standard input and output are the line.

The law of this file: the child never outlives the transport. Its standard input is its lifeline,
so that it ends even when this process is killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence

from espdl_hil.errors import BoardNotFoundError, DeadlineError, DisconnectedError
from espdl_hil.transport.base import Transport

_READ_BYTES = 65536
_WRITE_DEADLINE_S = 10.0
_GOODBYE_S = 2.0  # what a child has between the end of its input and SIGKILL
_COMPLAINT_BYTES = 2000


class ProcessTransport(Transport):
    """Talks to a program that it starts.

    Args:
        command: program and arguments.

    Raises:
        BoardNotFoundError: the program cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        # A file, not a pipe: nobody reads it while the child lives, and it must never block.
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with us
        self._pending = bytearray()
        try:
            # A session of its own: Ctrl-C in the terminal is ours to handle, not the child's.
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as cause:
            self._complaints.close()
            raise BoardNotFoundError(
                f"the program cannot be started: {cause.strerror}", port=self._command[0]
            ) from cause
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._stdin, self._stdout = self._child.stdin, self._child.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)

    @property
    def port(self) -> str:
        """The program's path."""
        return self._command[0]

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    def read(self, deadline_s: float) -> bytes:
        """Return what the child wrote, waiting up to ``deadline_s`` for the first byte."""
        if not self._pending:
            try:
                readable, _, _ = select.select([self._stdout], [], [], max(deadline_s, 0.0))
                if readable:
                    self._fill()
            except ValueError as cause:
                raise self._gone() from cause
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def write(self, data: bytes) -> None:
        """Write all of ``data``, taking in what the child says meanwhile."""
        left = memoryview(data)
        end = time.monotonic() + _WRITE_DEADLINE_S
        while left:
            wait_s = end - time.monotonic()
            if wait_s <= 0:
                raise DeadlineError(
                    f"{len(left)} bytes were not taken for {_WRITE_DEADLINE_S:g} s", port=self.port
                )
            try:
                readable, writable, _ = select.select([self._stdout], [self._stdin], [], wait_s)
                if writable:
                    left = left[os.write(self._stdin.fileno(), left) :]
                if readable:
                    # A child that waits for us to read would never read what we write.
                    self._fill()
            except (OSError, ValueError) as cause:
                raise self._gone() from cause

    def close(self) -> None:
        """Close the child's input and wait for its end; kill it where it does not come."""
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._child.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also on Ctrl-C while waiting: nothing may be left behind.
            if self._child.returncode is None:
                self._child.kill()
                self._child.wait()
            self._complaints.close()

    def _fill(self) -> None:
        try:
            data = os.read(self._stdout.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        if not data and not self._pending:
            raise self._gone()
        self._pending += data

    def _gone(self) -> DisconnectedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_GOODBYE_S)
        code = self._child.returncode
        how = "closed its output" if code is None else f"ended with code {code}"
        return DisconnectedError(f"the program {how}{self._last_words()}", port=self.port)

    def _last_words(self) -> str:
        if self._complaints.closed:
            return ""
        size = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, size - _COMPLAINT_BYTES))
        words = self._complaints.read().decode(errors="replace").strip()
        return f": {words}" if words else ""
