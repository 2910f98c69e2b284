"""Boards with an emulated 32-bit RISC-V: image, boot, store, counted instructions, ends."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from espdl_hil.boards.backtrace import Symbols
from espdl_hil.boards.firmware import read_bundle
from espdl_hil.boards.flashing import flash
from espdl_hil.boards.inventory import VIRTUAL_CPUS, Board, read_inventory
from espdl_hil.boards.link import Link
from espdl_hil.boards.panics import read_panics
from espdl_hil.checking import Checker
from espdl_hil.errors import ConfigError, DisconnectedError
from espdl_hil.results.records import to_plain
from espdl_hil.runs import LatencyUnit, LinkUsage, RunRequest, RunResult
from espdl_hil.targets import target_named
from espdl_hil.transport import ProcessTransport
from espdl_hil.transport.serial import SerialTransport
from espdl_hil.virtual import cpu as cpu_module
from espdl_hil.virtual.bundle import ensure_bundle
from espdl_hil.virtual.chips import chip_named
from espdl_hil.virtual.cpu import EMULATED_FLASH_BYTES, Cpu, find_qemu, words_file
from espdl_hil.virtual.launch import VirtualBoard, VirtualBoardSpec
from espdl_hil.wire import Conversation, board_identity
from tests.support import golden
from tests.support.rv32 import command, erased_flash, image, needs_rv32, talking
from tests.virtual.bench import bundle_of, opened, put_into_flash, wait_until_gone

TARGET = "esp32p4"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The bundle of the real image; its Makefile saves compiling a second time."""
    folder = tmp_path_factory.mktemp("firmware")
    recipe = f"rv32:\n\tcp {image()} $(OUT)/hil_runner_rv32.elf\n.PHONY: rv32\n"
    (folder / "Makefile").write_text(recipe)
    return read_bundle(ensure_bundle(TARGET, folder / "out", folder, Cpu.RV32))


@pytest.fixture(scope="module")
def case():
    found = [case for case in golden.cases("p4_s8") if case.op == "Conv" and not case.float_outputs]
    return min(found, key=lambda case: case.path.stat().st_size)


def request_of(case, **changes):
    return RunRequest(case.path.read_bytes(), case.inputs(case.vectors[0]), **changes)


@needs_rv32
def test_the_image_has_no_heap():
    names = subprocess.run(
        ["riscv64-unknown-elf-nm", str(image())], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "hil_server_handle" in names
    assert not {"malloc", "calloc", "realloc", "free", "sbrk", "_sbrk"}.intersection(names)


@needs_rv32
def test_latencies_are_the_same_count_of_instructions_every_time(tmp_path, case):
    def measure():
        with talking(TARGET, erased_flash(tmp_path)) as talk:
            found = talk.run(request_of(case, warmup=1, repeat=3))
            return found.latency_us, [row.latency_us for row in found.nodes]

    first, again = measure(), measure()
    assert first == again
    total, nodes = first
    assert max(total) - min(total) <= 0.1  # the wire's unit: where in a 100 ns a run begins
    assert 0 < sum(nodes) <= max(total)


@needs_rv32
def test_two_checks_of_one_model_record_equal_counts_labelled_as_instructions(tmp_path, case):
    class Session:
        """What a check needs of a session, over QEMU without flashing."""

        flashed = False

        def __init__(self, talk: Conversation) -> None:
            self._talk = talk
            self.identity = board_identity(talk.hello())

        def run(self, request: RunRequest, deadline_s: float) -> RunResult:
            found = self._talk.run(request)
            uploaded = found.model_uploaded
            return found.result(self.identity, LinkUsage(0, 0, uploaded, 0))

    target = target_named(TARGET)
    board = Board("rv32", target, virtual=True, cpu="rv32")
    records = []
    for attempt in ("first", "again"):
        (tmp_path / attempt).mkdir()
        with talking(TARGET, erased_flash(tmp_path / attempt)) as talk:
            checker = Checker()
            prepared = checker.take(case.path, target, vectors=1)
            records.append(to_plain(checker.check(prepared, board, Session(talk))))
    first, again = records
    assert first["vectors_equal"] == first["vectors"] >= 1
    assert first["latency_unit"] == "instructions"
    for name in ("latency_us", "node_latencies", "latency_unit", "facts"):
        assert first[name] == again[name] != []


@needs_rv32
def test_the_store_outlives_the_machine_and_needs_no_second_upload(tmp_path, case):
    flash_file = erased_flash(tmp_path)
    other = next(c for c in golden.cases("p4_s8") if c.op == "Gemm")
    with talking(TARGET, flash_file) as talk:
        assert talk.run(request_of(other)).model_uploaded
        assert talk.run(request_of(case)).model_uploaded
    with talking(TARGET, flash_file, seed=2) as talk:
        found = talk.run(request_of(case))
        assert not found.model_uploaded
        expected = case.outputs(case.vectors[0])
        assert not any(golden.difference(found.outputs[name], expected[name]) for name in expected)
        talk.erase_models()
    with talking(TARGET, flash_file, seed=3) as talk:
        assert talk.hello().cached_models == ()
        assert talk.run(request_of(other)).model_uploaded


@needs_rv32
def test_a_board_boots_the_image_from_its_flash_and_again_after_a_reboot(tmp_path, bundle, case):
    assert bundle.version.endswith(".rv32.icount")
    assert bundle.source.name == "esp32p4-rv32"
    spec = VirtualBoardSpec(TARGET, tmp_path / "board", cpu=Cpu.RV32)
    with VirtualBoard(spec) as board:
        flash(board.port, bundle)
        link = Link(SerialTransport(board.port), first_seq=1)
        try:
            talk = Conversation(link.perform, count(1).__next__)
            identity = board_identity(talk.hello())
            assert (identity.target, identity.mac, identity.virtual) == (TARGET, board.mac, True)
            assert identity.latency_unit is LatencyUnit.INSTRUCTIONS
            assert identity.facts["cpu"] == "rv32imafc, emulated"
            assert identity.firmware_sha256 == bundle.app_elf_sha256
            assert identity.firmware_version == bundle.version
            assert talk.run(request_of(case)).model_uploaded
            talk.reboot()
        finally:
            link.close()
        with opened(board.port) as port:
            port.read_until(b"one instruction")
        link = Link(SerialTransport(board.port), first_seq=500)
        try:
            talk = Conversation(link.perform, count(9).__next__)
            assert board_identity(talk.hello()).reset_reason == "software"
            assert not talk.run(request_of(case)).model_uploaded
        finally:
            link.close()
    assert wait_until_gone(board.pid)
    # The same folder serves a board without emulator: the longer file is no other flash.
    with (
        VirtualBoard(VirtualBoardSpec(TARGET, tmp_path / "board")) as board,
        opened(board.port) as port,
    ):
        assert b"for riscv32, this machine is" in port.read_until(b"No bootable app")


@needs_rv32
def test_a_bad_cable_costs_repeats_and_a_killed_board_leaves_no_machine(tmp_path, bundle, case):
    folder = tmp_path / "board"
    put_into_flash(bundle, folder / "flash.bin", chip_named(TARGET).flash_bytes)
    faults = ("flip-up:2e-4", "flip-down:2e-4")
    spec = VirtualBoardSpec(TARGET, folder, cpu=Cpu.RV32, faults=faults, seed=3)
    with VirtualBoard(spec) as board:
        link = Link(SerialTransport(board.port), first_seq=1)
        try:
            talk = Conversation(link.perform, count(1).__next__)
            for _ in range(5):
                found = talk.run(request_of(case))
                expected = case.outputs(case.vectors[0])
                assert all(np.array_equal(found.outputs[name], expected[name]) for name in expected)
                talk.erase_models()
            assert link.client.counters.retries > 0
        finally:
            link.close()
        children = Path(f"/proc/{board.pid}/task/{board.pid}/children").read_text().split()
        assert len(children) == 1
        os.kill(board.pid, signal.SIGKILL)
        assert wait_until_gone(int(children[0]))


@needs_rv32
def test_a_program_for_this_machine_does_not_boot_there(tmp_path, echo):
    folder = tmp_path / "board"
    chip = chip_named(TARGET)
    put_into_flash(
        bundle_of(echo, chip, tmp_path / "bundle"), folder / "flash.bin", chip.flash_bytes
    )
    with (
        VirtualBoard(VirtualBoardSpec(TARGET, folder, cpu=Cpu.RV32)) as board,
        opened(board.port) as port,
    ):
        text = port.read_until(b"No bootable app")
    assert f"for {platform.machine()}, this machine is riscv32".encode() in text


@needs_rv32
def test_a_trap_is_told_in_the_words_of_a_panic(tmp_path, case):
    """The machine has less memory than the runner was told: the first use of it traps."""
    words = command(TARGET, erased_flash(tmp_path), memory_bytes=1 << 20, psram_bytes=16 << 20)
    link = Link(ProcessTransport(words), first_seq=1)
    try:
        talk = Conversation(link.perform, count(1).__next__)
        with pytest.raises(DisconnectedError, match="code 66") as caught:
            talk.run(request_of(case))
    finally:
        link.close()
    text = str(caught.value)
    assert "Guru Meditation Error: Core  0 panic'ed (Store access fault)" in text
    assert re.search(r"MEPC    : 0x800[01][0-9a-f]{4}  RA      : 0x800", text)
    (panic,) = read_panics(text)
    frames = Symbols(image().read_bytes()).frames(panic)
    assert frames[0].address == panic.pc == panic.registers["MEPC"]
    assert all(frame.function for frame in frames), "each is in a function of the image"
    assert len(frames) >= 2, "the return address is known too"


@needs_rv32
@pytest.mark.parametrize("more", [("--fault", "mute"), ("--target", "esp8266"), ("--psram", "12k")])
def test_words_that_the_image_does_not_know_are_refused(tmp_path, more):
    link = Link(ProcessTransport(command(TARGET, erased_flash(tmp_path), more=more)), first_seq=1)
    try:
        talk = Conversation(link.perform, count(1).__next__)
        with pytest.raises(DisconnectedError, match=r"(?s)code 2.*settings not understood"):
            talk.hello()
    finally:
        link.close()


@needs_rv32
def test_a_fault_of_the_firmware_is_a_wrong_option_of_the_board(tmp_path, bundle):
    folder = tmp_path / "board"
    put_into_flash(bundle, folder / "flash.bin", chip_named(TARGET).flash_bytes)
    spec = VirtualBoardSpec(TARGET, folder, cpu=Cpu.RV32, faults=("mute",))
    with VirtualBoard(spec) as board:
        assert board.process.wait(20) == ConfigError.exit_code


def test_without_qemu_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt install qemu-system-misc"):
        find_qemu()


def test_without_the_cross_compiler_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("RV32_CC", "no-such-compiler-gcc")
    with pytest.raises(ConfigError, match=r"(?s)no-such-compiler-gcc is not installed.*picolibc"):
        ensure_bundle(TARGET, tmp_path, cpu=Cpu.RV32)


@pytest.mark.parametrize("words", [["--version", "two\nlines"], ["--version", "x" * 4096]])
def test_words_that_do_not_fit_the_page_are_refused(words):
    with pytest.raises(ConfigError):
        words_file(words)


def test_a_comma_in_the_name_of_a_folder_is_no_option_of_qemu(tmp_path):
    emulator = cpu_module.Emulator("qemu", tmp_path / "a,b" / "flash.bin", 1 << 20)
    drive = next(word for word in emulator.command("elf", "words") if "pflash" in word)
    assert drive.endswith(f"file={tmp_path}/a,,b/flash.bin")


def test_the_flash_file_is_lengthened_once_and_keeps_its_bytes(tmp_path):
    path = tmp_path / "flash.bin"
    path.write_bytes(b"flash")
    emulator = cpu_module.Emulator("qemu", path, 1 << 20)
    for _ in range(2):
        emulator.prepare()
        assert path.stat().st_size == EMULATED_FLASH_BYTES
    assert path.read_bytes()[:6] == b"flash\0"


def test_an_inventory_names_the_processor(tmp_path):
    file = tmp_path / "boards.yaml"
    entry = "boards:\n  one:\n    target: esp32p4\n    transport: virtual\n    cpu: "
    file.write_text(entry + "rv32\n")
    assert read_inventory(file).boards[0].cpu == "rv32"
    file.write_text(entry + "z80\n")
    with pytest.raises(ConfigError, match="host, rv32"):
        read_inventory(file)


def test_the_inventory_knows_the_processors_that_boards_have():
    assert [cpu.value for cpu in Cpu] == list(VIRTUAL_CPUS)
