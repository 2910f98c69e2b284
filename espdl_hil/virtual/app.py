"""The running application: the program from flash, as a child process with its line on pipes.

The law of this file: no application outlives its board, not even when the board is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from espdl_hil.virtual.boot import Bootable
from espdl_hil.virtual.chips import Chip
from espdl_hil.virtual.cpu import Emulator, words_file

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 18
_CRUMB_BYTES = 4
_CRUMB_VARIABLE = "HIL_RUNNER_CRUMB"


class ResetReason(Enum):
    """Why the chip booted, as the runner reports it."""

    POWER_ON = "poweron"
    EXTERNAL = "external"
    SOFTWARE = "software"
    PANIC = "panic"
    WATCHDOG = "watchdog"
    BROWNOUT = "brownout"


_REASONS = {0: ResetReason.SOFTWARE, 64: ResetReason.SOFTWARE, 65: ResetReason.BROWNOUT}
"""What exit codes mean; any other one, 66 and signals among them, is a panic."""
_USAGE = 2


@dataclass(frozen=True, slots=True)
class Unit:
    """One virtual board's lasting properties."""

    chip: Chip
    revision: str
    mac: bytes
    flash_path: Path

    @property
    def mac_text(self) -> str:
        """The MAC address as people write it."""
        return self.mac.hex(":")


def runner_arguments(
    unit: Unit, bootable: Bootable, reason: ResetReason, faults: tuple[str, ...]
) -> list[str]:
    """Return the arguments that a runner is started with."""
    arguments = {
        "--target": unit.chip.name,
        "--revision": unit.revision,
        "--mac": unit.mac_text,
        "--firmware-sha256": bootable.program.sha256,
        "--version": bootable.program.version,
        "--reset-reason": reason.value,
        "--flash": str(unit.flash_path),
        "--store-offset": str(bootable.store_offset),
        "--store-size": str(bootable.store_size),
        "--psram": str(unit.chip.psram_bytes),
    }
    flat = [word for pair in arguments.items() for word in pair]
    return flat + [word for fault in faults for word in ("--fault", fault)]


class App:
    """A started program.

    Args:
        elf: the program.
        arguments: its words.
        emulator: what executes it; ``None`` is this machine.
        crumb: descriptor of the memory that outlives it; emulated machines have none.

    Attributes:
        stdin, stdout, stderr: non-blocking descriptors of its line and its panic text.
        exited: a descriptor that becomes readable when the process ends.
    """

    def __init__(
        self, elf: bytes, arguments: list[str], emulator: Emulator | None, crumb: int
    ) -> None:
        with _sealed_file(elf) as program:
            path = f"/proc/self/fd/{program}"
            if emulator is None:
                # Not an argument: a program in flash may be older than this and refuse it.
                environment = {**os.environ, _CRUMB_VARIABLE: f"/proc/self/fd/{crumb}"}
                words = ["hil-runner", *arguments]
                self._process = _start(words, path, program, crumb, environment=environment)
            else:
                emulator.prepare()
                with _sealed_file(words_file(arguments)) as file:
                    command = emulator.command(path, f"/proc/self/fd/{file}")
                    self._process = _start(command, command[0], program, file)
        self.stdin, self.stdout, self.stderr = (
            stream.fileno() for stream in _streams(self._process)
        )
        for descriptor in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            fcntl.fcntl(self.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.exited = os.pidfd_open(self._process.pid)

    @property
    def outputs(self) -> tuple[int, int, int]:
        """Descriptors that become readable when the program says something or ends."""
        return self.stdout, self.stderr, self.exited

    def write(self, data: bytes) -> int:
        """Write to the program's line; return how much it took. A dead program takes everything."""
        try:
            return os.write(self.stdin, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)

    def read(self) -> bytes:
        """Return what the program sent, which may be nothing."""
        return _read_available(self.stdout)

    def read_error_text(self) -> bytes:
        """Return what the program said on its way down, which may be nothing."""
        return _read_available(self.stderr)

    def has_exited(self) -> bool:
        """Tell whether the program ended."""
        return self._process.poll() is not None

    def refuses_arguments(self) -> bool:
        """Tell whether the ended program did not understand its arguments."""
        return self._process.wait() == _USAGE

    def restart_reason(self) -> ResetReason:
        """Wait for the ended process and tell what its exit code means."""
        return _REASONS.get(self._process.wait(), ResetReason.PANIC)

    def stop(self) -> None:
        """End the process, if need be, and release everything."""
        self._process.kill()
        self._process.wait()
        for stream in _streams(self._process):
            stream.close()
        os.close(self.exited)


def _start(
    command: list[str],
    executable: str,
    *files: int,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        executable=executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=files,
        preexec_fn=_die_with_parent,
    )


def _streams(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [
        stream
        for stream in (process.stdin, process.stdout, process.stderr)
        if stream is not None  # never: all three are pipes
    ]


def lasting_memory() -> int:
    """Return a descriptor of the memory that a program leaves its successor; close it."""
    descriptor = os.memfd_create("hil_crumb", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, _CRUMB_BYTES)
    return descriptor


@contextlib.contextmanager
def _sealed_file(content: bytes) -> Iterator[int]:
    """Give a descriptor of an executable file in memory that nobody can change any more."""
    descriptor = os.memfd_create("hil_runner", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_available(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return b""


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the board's process dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
