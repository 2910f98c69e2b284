"""Addresses of panics, found again in ELF files that compilers made."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from espdl_hil.boards.backtrace import Symbols, symbols_of
from espdl_hil.boards.panics import Panic, PanicKind, StackDump
from espdl_hil.errors import ConfigError
from tests.support.reference_engine import build

RISCV = "riscv64-unknown-elf-gcc"
needs_cross_compiler = pytest.mark.skipif(shutil.which(RISCV) is None, reason=f"no {RISCV}")

SOURCE = """\
int innermost(int x);
int outer(int x);
int innermost(int x)
{
    return x / (x - 1);
}

int outer(int x)
{
    return innermost(x) + 1;
}

void _start(void)
{
    outer(1);
}
"""

# Frames as a compiler makes them, with every instruction's place known.
ASSEMBLER = """\
    .option norvc
    .text
    .cfi_sections .debug_frame
    .globl _start, middle, leaf
    .type _start, @function
_start:
    .cfi_startproc
    addi sp, sp, -32
    .cfi_def_cfa_offset 32
    sw ra, 28(sp)
    .cfi_offset ra, -4
    jal middle
    ret
    .cfi_endproc
    .size _start, . - _start
    .type middle, @function
middle:
    .cfi_startproc
    addi sp, sp, -16
    .cfi_def_cfa_offset 16
    sw ra, 12(sp)
    sw s0, 8(sp)
    .cfi_offset ra, -4
    .cfi_offset s0, -8
    addi s0, sp, 16
    .cfi_def_cfa s0, 0
    jal leaf
    ret
    .cfi_endproc
    .size middle, . - middle
    .type leaf, @function
leaf:
    .cfi_startproc
    lw a0, 0(zero)
    ret
    .cfi_endproc
    .size leaf, . - leaf
"""


def compiled(folder: Path, source: str, name: str, *command: str) -> Path:
    (folder / name).write_text(source)
    elf = folder / "app.elf"
    options = ["-g", "-nostdlib", "-static", "-Wl,--build-id=none"]
    subprocess.run(
        [*command, *options, "-Wl,-Ttext=0x42000000", name, "-o", str(elf)], check=True, cwd=folder
    )
    return elf


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    return compiled(folder, SOURCE, "app.c", "gcc", "-O0", "-no-pie", "-fno-inline")


def addresses(elf: Path) -> dict[str, int]:
    output = subprocess.run(["nm", str(elf)], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in output.splitlines()]
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3}


def panic_at(*backtrace: int) -> Panic:
    return Panic(PanicKind.EXCEPTION, "LoadProhibited", backtrace=backtrace)


def test_the_boards_backtrace_gets_functions_files_and_lines(elf):
    at = addresses(elf)
    frames = Symbols(elf.read_bytes()).frames(panic_at(at["innermost"] + 8, at["outer"] + 8))
    assert [frame.function for frame in frames] == ["innermost", "outer"]
    assert all(frame.file.endswith("app.c") for frame in frames)
    assert [4 <= frames[0].line <= 5, 9 <= frames[1].line <= 10] == [True, True]
    assert str(frames[0]).startswith(f"{at['innermost'] + 8:#010x} innermost (")


def test_lines_are_those_that_addr2line_finds(elf):
    symbols = Symbols(elf.read_bytes())
    first = addresses(elf)["innermost"]
    places = range(first, first + 64)
    program = shutil.which("addr2line")
    assert program is not None
    told = subprocess.run(
        [program, "-e", str(elf), *map(hex, places)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for place, expected in zip(places, told, strict=True):
        frame = symbols.locate(place)
        file, _, line = expected.partition(":")
        if file != "??":
            assert (Path(frame.file).name, str(frame.line)) == (
                Path(file).name,
                line.split()[0],
            )


def test_the_functions_of_a_virtual_boards_own_program_are_found():
    program = build("runner", "hil_runner")
    symbols = Symbols(program.read_bytes())
    places = addresses(program)
    for name in ("hil_server_handle", "hil_frame_feed", "main"):
        assert symbols.locate(places[name] + 1).function == name


def test_an_address_outside_is_shown_bare(elf):
    (frame,) = Symbols(elf.read_bytes()).frames(panic_at(0x40001234))
    assert str(frame) == "0x40001234"


@needs_cross_compiler
def test_a_riscv_stack_is_followed_by_the_frame_information(tmp_path):
    elf = compiled(tmp_path, ASSEMBLER, "app.s", RISCV, "-march=rv32imac", "-mabi=ilp32")
    at = addresses(elf)
    assert [at["_start"], at["middle"], at["leaf"]] == [0x42000000, 0x42000010, 0x42000028]
    after_middle, after_leaf = 0x4200000C, 0x42000024
    stack = 0x4FF1A1F0
    panic = Panic(
        PanicKind.EXCEPTION,
        "Load access fault",
        pc=at["leaf"],
        registers={"MEPC": at["leaf"], "RA": after_leaf, "SP": stack, "S0/FP": stack + 16},
        stack=StackDump({stack + 8: 0, stack + 12: after_middle, stack + 16 + 28: 0}),
    )
    symbols = Symbols(elf.read_bytes())
    frames = symbols.frames(panic)
    assert [frame.address for frame in frames] == [at["leaf"], after_leaf, after_middle]
    assert [frame.function for frame in frames] == ["leaf", "middle", "_start"]
    shorter = replace(panic, stack=StackDump())
    assert [frame.function for frame in symbols.frames(shorter)] == ["leaf", "middle"], (
        "where the dump ends, the backtrace ends"
    )


@needs_cross_compiler
def test_garbage_in_registers_and_stack_ends_the_backtrace(tmp_path):
    elf = compiled(tmp_path, ASSEMBLER, "app.s", RISCV, "-march=rv32imac", "-mabi=ilp32")
    symbols = Symbols(elf.read_bytes())
    wild = Panic(PanicKind.EXCEPTION, pc=0xDEADBEEF, registers={"MEPC": 0xDEADBEEF, "RA": 1})
    assert [frame.address for frame in symbols.frames(wild)] == [0xDEADBEEF]
    assert symbols.frames(Panic(PanicKind.BROWNOUT)) == ()


def test_an_elf_of_another_firmware_is_refused(elf):
    data = elf.read_bytes()
    own = Symbols(data).sha256
    assert symbols_of(data, own, "app.elf").sha256 == own
    with pytest.raises(ConfigError, match=r"app\.elf.*on the board runs aaaaaaaaaaaa"):
        symbols_of(data, "a" * 64, "app.elf")


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"nothing of the kind" * 100])
def test_what_is_no_elf_is_told(data):
    with pytest.raises(ConfigError, match="no ELF file"):
        Symbols(data, "x")


def test_a_cut_elf_never_fails_otherwise(elf):
    data = elf.read_bytes()
    for size in range(0, len(data), 97):
        try:
            Symbols(data[:size]).frames(panic_at(0x42000008))
        except ConfigError:
            continue
