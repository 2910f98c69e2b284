"""Starting virtual boards from other programs: one child process per board.

The law of this file: a board ends with the object that started it, and with the process that holds
the object, however that process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from espdl_hil.errors import BoardBusyError, BoardError, ConfigError
from espdl_hil.virtual.cpu import Cpu

_START_DEADLINE_S = 20.0
_STOP_DEADLINE_S = 5.0
_READ_BYTES = 4096


@dataclass(frozen=True, slots=True)
class VirtualBoardSpec:
    """What to start.

    Attributes:
        chip: target name.
        state: folder that keeps the board; absolute, or relative to the present one.
        port: ``"pty"`` or ``"rfc2217[:TCPPORT]"``.
        faults: as ``--fault`` takes them.
        seed: of random damage.
        baud_limit: simulated line rate; ``None`` does not limit.
        mac: address to have from now on; ``None`` keeps it.
        verbose: resets are logged to standard error.
        cpu: what executes the application.
    """

    chip: str
    state: Path
    port: str = "pty"
    faults: tuple[str, ...] = ()
    seed: int = 0
    baud_limit: int | None = None
    mac: str | None = None
    verbose: bool = False
    cpu: Cpu = Cpu.HOST

    def command(self) -> list[str]:
        """Return the command line of the board's process."""
        command = [sys.executable, "-m", "espdl_hil.virtual", "--json"]
        command += ["--chip", self.chip, "--state", str(self.state), "--port", self.port]
        command += ["--seed", str(self.seed), "--cpu", self.cpu.value]
        command += [word for fault in self.faults for word in ("--fault", fault)]
        command += [] if self.baud_limit is None else ["--baud-limit", str(self.baud_limit)]
        command += [] if self.mac is None else ["--mac", self.mac]
        return command + (["--verbose"] if self.verbose else [])


class VirtualBoard:
    """A running virtual board; a context manager that ends it.

    Attributes:
        port: what to open.
        mac: the board's address.
        pid: of its process.
        process: descriptor-level access for callers that wait for its end.

    Raises:
        BoardBusyError: another process runs the board of this folder.
        ConfigError: chip, port, faults or folder are wrong.
        BoardError: it did not start.
    """

    def __init__(self, spec: VirtualBoardSpec) -> None:
        self.spec = spec
        # A session of its own: Ctrl-C in the terminal reaches its owner, who ends it in order.
        self.process = subprocess.Popen(
            spec.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if spec.verbose else subprocess.PIPE,
            start_new_session=True,
        )
        try:
            values = self._announcement()
        except BaseException:
            self.close()
            raise
        self.port = str(values["port"])
        self.mac = str(values["mac"])
        self.pid = self.process.pid

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the board and wait for it; more than once is allowed."""
        process = self.process
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def _announcement(self) -> dict[str, object]:
        """Wait for the line in which the board says that it is there."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        until_s = time.monotonic() + _START_DEADLINE_S
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not text.endswith(b"\n"):
                if not selector.select(max(0.0, until_s - time.monotonic())):
                    raise BoardError(
                        f"not started after {_START_DEADLINE_S:g} s", board=self.spec.state.name
                    )
                data = os.read(descriptor, _READ_BYTES)
                if not data:
                    raise self._failure()
                text += data
        values: dict[str, object] = json.loads(text)
        return values

    def _failure(self) -> Exception:
        code = self.process.wait()
        said = b"" if self.process.stderr is None else self.process.stderr.read()
        text = said.decode("utf-8", "replace").strip() or f"it ended with code {code}"
        name = self.spec.state.name
        if code == ConfigError.exit_code:
            return ConfigError(text, key=f"virtual board {name!r}")
        if code == BoardError.exit_code and "another process" in text:
            return BoardBusyError(text, board=name)
        return BoardError(f"the virtual board did not start: {text}", board=name)
