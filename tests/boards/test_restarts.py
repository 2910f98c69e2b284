"""What a restart during a run is told with: its reason, the node, the backtrace."""

from __future__ import annotations

import random
from itertools import count

import pytest

from espdl_hil import espdl
from espdl_hil.boards.link import Link
from espdl_hil.boards.panics import read_restart
from espdl_hil.boards.restarts import RestartWatch, node_in_words, noted_node, restart_error
from espdl_hil.errors import BoardRestartedError, DeadlineError
from espdl_hil.transport import LoopbackTransport, ManualClock
from espdl_hil.wire import Conversation
from espdl_hil.wire.codec import encode
from espdl_hil.wire.framing import encode_frame
from espdl_hil.wire.messages import Alive, Log, LogLevel
from tests.boards import panic_texts as texts
from tests.support.golden import cases


def model() -> bytes:
    case = next(case for case in cases("p4_s8") if case.op == "Conv")
    return case.path.read_bytes()


def error_for(text: str, **changes):
    words = {"node": "", "symbols": lambda: None, "board": "bench", "port": "/dev/x"} | changes
    return restart_error(read_restart(text.splitlines()), **words)


def test_a_node_is_named_with_its_operator_where_the_file_can_be_read():
    data = model()
    first = espdl.read(data).nodes[0]
    assert node_in_words(data, 0) == f"{first.name!r} ({first.op_type}, number 0)"
    assert node_in_words(data, 1 << 20) == str(1 << 20)
    assert node_in_words(b"no model", 3) == "3"
    assert node_in_words(data, None) == ""


def test_the_firmwares_note_about_its_last_boot_is_read():
    lines = ["info: runner ready", "error: the last boot ended in node 17 of a run (panic)"]
    assert noted_node(lines) == 17
    assert noted_node(lines[:1]) is None


def test_the_error_has_reason_node_and_backtrace():
    error = error_for(texts.XTENSA_EXCEPTION, node="'conv2' (Conv, number 2)")
    assert isinstance(error, BoardRestartedError)
    assert error.backtrace == ("0x42008d2c", "0x42009139", "0x4200a5e1")
    assert str(error).splitlines() == [
        "board 'bench', port /dev/x: the board restarted during the run (panic: StoreProhibited at "
        "0x42008d2f, address 0x00000010, core 1)",
        "  last known node: 'conv2' (Conv, number 2)",
        "  #0 0x42008d2c",
        "  #1 0x42009139",
        "  #2 0x4200a5e1",
        "  hint: a crash of the firmware; `elf` decodes the addresses",
    ]


def test_symbols_are_only_asked_for_where_there_was_a_panic():
    def never():
        raise AssertionError("read the ELF file for nothing")

    assert error_for("rst:0x1 (POWERON),boot:0x8", symbols=never).backtrace == ()


def feed(watch: RestartWatch, *pieces: bytes) -> None:
    for piece in pieces:
        watch.feed(piece)


def test_a_boot_message_ends_the_wait_however_the_line_cuts_it():
    text = b"\r\nrst:0x10 (RTCWDT_RTC_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n"
    for cut in range(len(text) - 30):
        with pytest.raises(BoardRestartedError):
            feed(RestartWatch(), text[:cut], text[cut:])


def test_the_last_sign_of_life_names_a_node():
    """A board that says where it is and then nothing more."""
    clock = ManualClock()
    said = [
        encode_frame(encode(Alive(run_id=1, node_index=5, run=0), 0)),
        encode_frame(encode(Log(LogLevel.ERROR, "about to fail"), 0)),
        encode_frame(encode(Alive(run_id=1, node_index=9, run=0), 0)),
    ]
    line = LoopbackTransport(lambda _: said.pop(0) if said else b"", clock)
    link = Link(line, random.Random(1).getrandbits(16), "bench", clock)
    link.until = 5.0
    with pytest.raises(DeadlineError):
        Conversation(link.perform, count(1).__next__).hello()
    assert link.alive_node == 9
    assert link.take_log() == ("error: about to fail",)
