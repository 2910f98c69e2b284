"""Starting virtual boards from other programs: one child process per board.

The law of this file: a board ends with the object that started it, and with the process that holds
the object, however that process ends.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from espdl_hil.children import BoardChild
from espdl_hil.closing import Closing
from espdl_hil.virtual.cpu import Cpu


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


class VirtualBoard(Closing):
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
        name = spec.state.name
        self._child = BoardChild(
            spec.command(), name=name, where=f"virtual board {name!r}", verbose=spec.verbose
        )
        self.process = self._child.process
        self.port = str(self._child.announcement.get("port"))
        self.mac = str(self._child.announcement.get("mac"))
        self.pid = self.process.pid

    def close(self) -> None:
        """End the board and wait for it; more than once is allowed."""
        self._child.close()

    def last_words(self) -> str:
        """Return the end of what its process said; empty where it is verbose."""
        return self._child.last_words()
