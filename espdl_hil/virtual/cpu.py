"""What executes a virtual board's application: this machine, or an emulated 32-bit RISC-V.

The law of this file: an emulated machine is stock QEMU with nothing of ours inside; everything that
the application gets (words, flash, line) comes over devices of the machine.

Sources: QEMU 7.2 documentation, "'virt' Generic Virtual Platform" of RISC-V; memory map of
``hw/riscv/virt.c``; ``firmware/rv32/link.ld`` for the places in memory.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from espdl_hil.errors import ConfigError

QEMU = "qemu-system-riscv32"
RV32_MACHINE = "riscv32"
"""In manifests and images, beside the names that ``platform.machine()`` gives."""

EMULATED_FLASH_BYTES = 32 << 20
"""QEMU's flash chip; the image file of an emulated board is as long, the rest is not used."""

_IMAGE_BYTES = 16 << 20
_WORDS_ADDRESS = 0x80FFF000
_WORDS_BYTES = 4096
_MIB = 1 << 20


class Cpu(Enum):
    """Kinds of processors that virtual boards have."""

    HOST = "host"
    """This machine's own: fast, latencies are of this machine."""
    RV32 = "rv32"
    """RV32IMAFC in QEMU: latencies count instructions, one nanosecond each, reproducibly."""

    @property
    def machine(self) -> str:
        """The machine that a program must be for."""
        return RV32_MACHINE if self is Cpu.RV32 else platform.machine()


@dataclass(frozen=True, slots=True)
class Emulator:
    """QEMU for one board.

    Attributes:
        program: path of QEMU.
        flash: image file of the board's flash.
        psram_bytes: memory for models.
    """

    program: str
    flash: Path
    psram_bytes: int

    def command(self, elf: str, words: str) -> list[str]:
        """Return the command line; standard input and output are the line, errors the console.

        Args:
            elf: path of the image.
            words: path of the file with its words.
        """
        memory = -(-(_IMAGE_BYTES + self.psram_bytes) // _MIB)
        flash = str(self.flash).replace(",", ",,")
        return [
            *(self.program, "-M", "virt", "-m", f"{memory}M"),
            *("-no-user-config", "-nodefaults", "-display", "none", "-monitor", "none"),
            # Without a limit QEMU takes a gigabyte for translated code.
            *("-accel", "tcg,tb-size=32"),
            # The clock is the count of instructions, whatever this machine does meanwhile.
            *("-icount", "shift=0,align=off,sleep=on"),
            # Not -kernel: beside a second flash chip it would be loaded and never started.
            *("-bios", elf),
            *("-device", f"loader,file={words},addr={_WORDS_ADDRESS:#x},force-raw=on"),
            *("-drive", f"if=pflash,unit=1,format=raw,file={flash}"),
            *("-global", "virtio-mmio.force-legacy=false"),
            *("-chardev", "stdio,id=line,signal=off"),
            # A port and not a console: a console drops what the reader does not take at once.
            *("-device", "virtio-serial-device"),
            *("-device", "virtserialport,chardev=line,name=line"),
            *("-chardev", "file,id=console,path=/proc/self/fd/2", "-serial", "chardev:console"),
        ]

    def prepare(self) -> None:
        """Make the flash image as long as the chip of the machine; the new part is a hole."""
        if self.flash.stat().st_size < EMULATED_FLASH_BYTES:
            with self.flash.open("r+b") as file:
                file.truncate(EMULATED_FLASH_BYTES)


def words_file(words: Sequence[str]) -> bytes:
    """Return names and values as the image reads them: a line each, then a zero byte.

    Raises:
        ConfigError: they are more than the machine takes, or one has more than a line.
    """
    if any("\n" in word or "\0" in word for word in words):
        raise ConfigError("an option of the firmware has more than one line", key="--fault")
    content = "".join(f"{word}\n" for word in words).encode() + b"\0"
    if len(content) > _WORDS_BYTES:
        raise ConfigError("too many options for the firmware", key="--fault")
    return content


def find_qemu() -> str:
    """Return the path of QEMU.

    Raises:
        ConfigError: it is not installed.
    """
    found = shutil.which(QEMU)
    if found is None:
        raise ConfigError(
            f"{QEMU} is not installed, so no board can have an emulated processor",
            key="--cpu",
            hint="Debian and Ubuntu: apt install qemu-system-misc",
        )
    return found
