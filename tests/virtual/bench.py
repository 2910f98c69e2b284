"""A bench for virtual boards: a small payload program, esptool as a program, raw ports."""

from __future__ import annotations

import os
import platform
import select
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from espdl_hil.boards.firmware import FirmwareBundle, read_bundle
from espdl_hil.virtual.bundle import write_bundle
from espdl_hil.virtual.chips import VIRTUAL_CHIPS, Chip
from espdl_hil.virtual.payload import HostProgram

CHIPS = [chip.name for chip in VIRTUAL_CHIPS]
ESPTOOL_DEADLINE_S = 60.0
READ_DEADLINE_S = 10.0

# Prints its arguments and its process id, echoes, and obeys a few letters.
ECHO_C = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    printf("pid %d\n", (int)getpid());
    for (int i = 1; i < argc; i++) {
        printf("%s%s", argv[i], i + 1 < argc ? " " : "\nREADY\n");
        if (strcmp(argv[i], "crash-at-start") == 0) {
            fprintf(stderr, "Guru Meditation Error\n");
            return 66;
        }
        if (strcmp(argv[i], "unknown") == 0) {
            return 2;
        }
    }
    fflush(stdout);
    static char buffer[65536];
    ssize_t size;
    while ((size = read(0, buffer, sizeof buffer)) > 0) {
        if (size >= 5 && memcmp(buffer, "!exit", 5) == 0) {
            exit(atoi(buffer + 5));
        }
        if (size >= 5 && memcmp(buffer, "!hang", 5) == 0) {
            for (;;) {
                pause();
            }
        }
        for (ssize_t done = 0; done < size;) {
            ssize_t some = write(1, buffer + done, (size_t)(size - done));
            if (some < 0) {
                return 1;
            }
            done += some;
        }
    }
    return 0;
}
"""


def compile_echo(folder: Path) -> HostProgram:
    """Compile the payload program."""
    source = folder / "echo.c"
    source.write_text(ECHO_C)
    program = folder / "echo"
    subprocess.run(["gcc", "-O1", "-o", str(program), str(source)], check=True, timeout=60)
    return HostProgram(program.read_bytes(), platform.machine(), "test-1")


def bundle_of(program: HostProgram, chip: Chip, folder: Path) -> FirmwareBundle:
    """Write the bundle that carries ``program`` and read it as the flashing code does."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bundle(chip, program, folder)
    return read_bundle(folder)


def put_into_flash(bundle: FirmwareBundle, flash_file: Path, size: int) -> None:
    """Make a flash image that has the bundle in it, without any loader."""
    image = bytearray(b"\xff" * size)
    for part in bundle.parts:
        image[part.offset : part.offset + len(part.data)] = part.data
    flash_file.parent.mkdir(parents=True, exist_ok=True)
    flash_file.write_bytes(image)


def esptool(port: str, *words: str, code: int = 0) -> str:
    """Run the esptool program and return what it printed; its exit code must be ``code``."""
    done = subprocess.run(
        [sys.executable, "-m", "esptool", "--port", port, *words],
        env={**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ESPTOOL_DEADLINE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


class RawPort:
    """A port opened without pyserial."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.descriptor)

    def write(self, data: bytes) -> None:
        """Write everything."""
        while data:
            data = data[os.write(self.descriptor, data) :]

    def read_until(self, end: bytes, deadline_s: float = READ_DEADLINE_S) -> bytes:
        """Return what comes up to and with ``end``, and what came with it."""
        data = b""
        until_s = time.monotonic() + deadline_s
        while end not in data:
            left_s = max(0.0, until_s - time.monotonic())
            if not select.select([self.descriptor], [], [], left_s)[0]:
                raise AssertionError(f"no {end!r} in {data!r}")
            piece = os.read(self.descriptor, 4096)
            if not piece:
                raise EOFError(data)
            data += piece
        return data

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


@contextmanager
def opened(path: str) -> Iterator[RawPort]:
    """Open a port for a while."""
    port = RawPort(path)
    try:
        yield port
    finally:
        port.close()


def echoes(port: RawPort) -> bool:
    """Tell whether the application answers; asks again, since a boot may be under way."""
    until_s = time.monotonic() + READ_DEADLINE_S
    while time.monotonic() < until_s:
        port.write(b"<anyone?>")
        try:
            port.read_until(b"<anyone?>", deadline_s=0.2)
        except AssertionError:
            continue
        return True
    return False


def exists(pid: int) -> bool:
    """Tell whether a process runs; one that ended and waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_until_gone(pid: int) -> bool:
    """Wait for the end of a process that is no child of ours."""
    until_s = time.monotonic() + READ_DEADLINE_S
    while exists(pid):
        if time.monotonic() > until_s:
            return False
        select.select([], [], [], 0.01)
    return True
