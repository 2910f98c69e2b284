"""What boards say, as whole lines: any cut gives the same lines, damage stays outside."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.boards.hearing import Hearing
from espdl_hil.boards.panics import read_restart
from tests.boards import panic_texts as texts

TEXT = texts.XTENSA_EXCEPTION.replace("\n", "\r\n").encode()
LINES = tuple(line for line in texts.XTENSA_EXCEPTION.splitlines() if len(line) >= 4)


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_any_cut_of_a_panic_gives_the_same_lines(cuts):
    told: list[bytes] = []
    hearing = Hearing(told.append)
    edges = [0, *sorted(cuts), len(TEXT)]
    for start, end in itertools.pairwise(edges):
        hearing.noise(TEXT[start:end])
    hearing.end()
    lines = hearing.take()
    assert lines == LINES
    assert b"".join(told).decode().splitlines() == list(LINES)
    assert read_restart(lines).panic.backtrace[0] == 0x42008D2C


def test_a_damaged_frame_does_not_spoil_the_line_before_it():
    hearing = Hearing()
    hearing.noise(b"Rebooting...")
    hearing.noise(bytes(range(128, 200)) + b"\n")
    hearing.noise(b"rst:0x1 (POWERON),boot:0x8\r\n")
    assert hearing.take() == ("Rebooting...", "rst:0x1 (POWERON),boot:0x8")


def test_a_log_line_ends_the_text_before_it():
    hearing = Hearing()
    hearing.noise(b"half a li")
    hearing.log("error", "the last boot ended in node 3 of a run")
    assert hearing.take() == ("half a li", "error: the last boot ended in node 3 of a run")


@given(st.lists(st.binary(max_size=2000), max_size=40))
def test_whatever_comes_memory_is_bounded(pieces):
    hearing = Hearing()
    for piece in pieces:
        hearing.noise(piece * 20)
    lines = hearing.take()
    assert len(lines) <= 500
    assert all(len(line) <= 4096 for line in lines)
