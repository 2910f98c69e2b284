"""The runner on emulated RV32IMAFC: built by make, started under QEMU with its line on pipes.

Tests that use this file skip, with a reason, where QEMU or the cross compiler is not installed.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from espdl_hil.boards.link import Link
from espdl_hil.transport import ProcessTransport
from espdl_hil.virtual.cpu import EMULATED_FLASH_BYTES, QEMU, Emulator, words_file
from espdl_hil.wire import Conversation
from tests.support.reference_engine import build

COMPILER = "riscv64-unknown-elf-gcc"
MISSING = [program for program in (QEMU, COMPILER) if shutil.which(program) is None]
needs_rv32 = pytest.mark.skipif(
    bool(MISSING),
    reason=f"not installed: {', '.join(MISSING)} (apt install qemu-system-misc "
    "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf)",
)

STORE_OFFSET, STORE_BYTES = 0x400000, 8 << 20
PSRAM_BYTES = 16 << 20


def image() -> Path:
    """The ELF of the runner, built if need be."""
    return build("rv32", "hil_runner_rv32.elf")


def erased_flash(folder: Path) -> Path:
    """A new flash file; the store's part of it is erased."""
    path = folder / "flash.bin"
    with path.open("wb") as file:
        file.seek(STORE_OFFSET)
        file.write(b"\xff" * STORE_BYTES)
        file.truncate(EMULATED_FLASH_BYTES)
    return path


def command(
    target: str,
    flash: Path,
    *,
    memory_bytes: int = PSRAM_BYTES,
    psram_bytes: int = PSRAM_BYTES,
    more: tuple[str, ...] = (),
) -> list[str]:
    """QEMU's command line for a board.

    Args:
        target: whose integers to compute.
        flash: its flash file.
        memory_bytes: what the machine has for models.
        psram_bytes: what the runner is told that it has.
        more: further words for the runner.
    """
    words = ["--target", target, "--flash", "flash", "--psram", str(psram_bytes)]
    words += ["--store-offset", str(STORE_OFFSET), "--store-size", str(STORE_BYTES), *more]
    file = flash.with_name("words")
    file.write_bytes(words_file(words))
    qemu = shutil.which(QEMU)
    assert qemu is not None
    return Emulator(qemu, flash, memory_bytes).command(str(image()), str(file))


@contextmanager
def talking(target: str, flash: Path, seed: int = 1) -> Iterator[Conversation]:
    """A conversation with a machine that ends with the block; its flash file stays."""
    link = Link(ProcessTransport(command(target, flash)), first_seq=seed)
    try:
        rng = random.Random(seed)
        talk = Conversation(link.perform, lambda: rng.getrandbits(32))
        link.client.window = talk.hello().window
        yield talk
    finally:
        link.close()
