"""Panic texts of ESP-IDF, read: what happened, where, and never more than the board said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.boards.panics import PanicKind, read_panics, read_restart, tells_end
from tests.boards import panic_texts as texts

ALL = {name: text for name, text in vars(texts).items() if name.isupper()}


def panic_in(text: str):
    (panic,) = read_panics(text)
    return panic


def test_an_exception_of_an_xtensa_core_is_read():
    panic = panic_in(texts.XTENSA_EXCEPTION)
    assert (panic.kind, panic.detail, panic.core) == (PanicKind.EXCEPTION, "StoreProhibited", 1)
    assert (panic.pc, panic.fault_address) == (0x42008D2F, 0x10)
    assert panic.backtrace == (0x42008D2C, 0x42009139, 0x4200A5E1)
    assert panic.corrupted
    assert panic.registers["A15"] == 0
    assert panic.registers["EXCCAUSE"] == 0x1D
    assert str(panic) == "StoreProhibited at 0x42008d2f, address 0x00000010, core 1"


def test_an_exception_of_a_riscv_core_is_read_with_its_stack():
    panic = panic_in(texts.RISCV_EXCEPTION)
    assert (panic.detail, panic.pc, panic.fault_address) == ("Load access fault", 0x4000C1A6, 4)
    assert panic.backtrace == ()
    assert panic.registers["S0/FP"] == 0x12
    assert panic.stack.word(0x4FF1A1F4) == 0x4FF1A240
    assert panic.stack.word(0x4FF1A21C) == 0x4000A114
    assert panic.stack.word(0x4FF1A230) is None


def test_the_core_that_panicked_counts_and_not_the_one_dumped_after_it():
    panic = panic_in(texts.BOTH_CORES)
    assert (panic.kind, panic.core, panic.pc) == (PanicKind.INTERRUPT_WATCHDOG, 0, 0x40375CB2)
    assert panic.backtrace == (0x40375CAF, 0x40375327)


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        (texts.ABORT, PanicKind.ABORT, "abort() at 0x42007a13, core 1"),
        (
            texts.ASSERTION,
            PanicKind.ASSERTION,
            "assertion: hil_port_open hil_port_uart.c:61 (handle != NULL) at 0x4038059c",
        ),
        (texts.TASK_WATCHDOG, PanicKind.TASK_WATCHDOG, "task watchdog in task server"),
        (texts.STACK_OVERFLOW, PanicKind.STACK_OVERFLOW, "stack overflow in task server"),
        (
            texts.STACK_CANARY,
            PanicKind.STACK_OVERFLOW,
            "stack overflow in task server at 0x4037b1c2, core 0",
        ),
        (
            texts.STACK_PROTECTION,
            PanicKind.STACK_OVERFLOW,
            "stack overflow in task server at 0x42007e28, core 0",
        ),
        (
            texts.HEAP,
            PanicKind.HEAP_CORRUPTION,
            "heap corruption: Bad tail at 0x3fcb4d60. Expected 0xbaad5678 got 0x00ad5678",
        ),
        (texts.BROWNOUT, PanicKind.BROWNOUT, "brownout"),
    ],
)
def test_each_way_to_go_down_has_its_name(text, kind, says):
    panic = panic_in(text)
    assert panic.kind is kind
    assert str(panic) == says


def test_a_watchdog_that_only_complains_is_no_panic():
    assert read_panics(texts.TASK_WATCHDOG_COMPLAINT) == ()
    assert read_restart(texts.TASK_WATCHDOG_COMPLAINT.splitlines()) is None


def test_a_panic_is_the_reason_and_the_reset_after_it_only_its_consequence():
    restart = read_restart(texts.XTENSA_EXCEPTION.splitlines())
    assert restart.reset == "RTC_SW_CPU_RST"
    assert restart.reason.startswith("panic: StoreProhibited")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("rst:0xf (BROWNOUT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)", "brownout, BROWNOUT_RST"),
        ("rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13", "brownout, RTCWDT_BROWN_OUT_RESET"),
        ("rst:0x10 (RTCWDT_RTC_RST),boot:0x8", "watchdog, RTCWDT_RTC_RST"),
        ("rst:0x7 (TG0WDT_SYS_RST),boot:0x8", "watchdog, TG0WDT_SYS_RST"),
        ("rst:0x1 (POWERON_RESET),boot:0x13", "power or reset pin, POWERON_RESET"),
        ("rst:0x1 (POWERON),boot:0x8", "power or reset pin, POWERON"),
        ("rst:0x3 (LP_SW_HPSYS),boot:0xc", "restart by software, LP_SW_HPSYS"),
        ("rst:0x15 (USB_UART_CHIP_RESET),boot:0x8", "reset by the USB host, USB_UART_CHIP_RESET"),
        ("rst:0x99 (UNHEARD_OF),boot:0x8", "UNHEARD_OF"),
        ("rst: brownout, boot: SPI_FAST_FLASH_BOOT", "brownout"),
    ],
)
def test_a_reset_without_a_panic_is_told_in_words_and_by_its_name(line, reason):
    restart = read_restart(["I (1) app: working", line])
    assert restart.panic is None
    assert restart.reason == reason


def test_the_first_restart_counts_since_later_ones_are_its_consequences():
    lines = (texts.STACK_OVERFLOW + texts.BROWNOUT + texts.XTENSA_EXCEPTION).splitlines()
    assert read_restart(lines).reason == "panic: stack overflow in task server"
    assert len(read_panics("\n".join(lines))) == 3


def test_a_board_that_works_tells_no_restart():
    assert read_restart(["I (5) app: first:1", "Core 0 is fine: 0x00000001", ""]) is None


@pytest.mark.parametrize("name", ["HALTED", "XTENSA_EXCEPTION", "BROWNOUT"])
def test_a_boot_message_or_a_halt_ends_the_run_at_once(name):
    assert tells_end(ALL[name])


@given(st.sampled_from(sorted(ALL)), st.data())
def test_no_cut_of_a_panic_makes_reading_fail_or_invent(name, data):
    whole = ALL[name]
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    known = {str(panic.kind) for panic in read_panics(whole)} | {
        # before the telling line came, a weaker one counts
        str(PanicKind.EXCEPTION),
        str(PanicKind.ASSERTION),
    }
    for panic in read_panics(cut):
        assert str(panic.kind) in known
        assert panic.pc is None or f"{panic.pc:08x}" in whole


@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    read_restart(text.splitlines())
