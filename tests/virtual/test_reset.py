"""The reset lines: every sequence that esptool plays leads where it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.virtual.reset import STRAP_WINDOW_S, Reset, ResetLines

# (seconds since the step before, dtr, rts)
CLASSIC_ON_RFC2217 = [(0, 0, 1), (0.1, 1, 1), (0.02, 1, 0), (0.05, 0, 0)]
TIGHT = [(0, 0, 0), (0, 1, 1), (0, 0, 1), (0.1, 1, 0), (0.05, 0, 0)]
HARD = [(0, 0, 1), (0.1, 0, 0)]
OPEN = [(0, 1, 0), (0, 1, 1)]
CLOSE = [(0, 0, 0)]


def play(steps):
    lines = ResetLines()
    now_s = 1000.0
    events = []
    for pause_s, dtr, rts in steps:
        now_s += pause_s
        events.append(lines.expire(now_s))
        events.append(lines.change(dtr=bool(dtr), rts=bool(rts), now_s=now_s))
    events.append(lines.expire(now_s + STRAP_WINDOW_S))
    return [event for event in events if event is not None]


@pytest.mark.parametrize("steps", [CLASSIC_ON_RFC2217, OPEN + CLASSIC_ON_RFC2217, TIGHT])
def test_the_boot_loader_sequences_enter_the_loader(steps):
    assert play(steps) == [Reset.HOLD, Reset.LOADER]


def test_a_pulse_on_enable_boots_the_application():
    assert play(HARD) == [Reset.HOLD, Reset.APP]
    assert play(CLASSIC_ON_RFC2217 + HARD) == [Reset.HOLD, Reset.LOADER, Reset.HOLD, Reset.APP]


def test_opening_and_closing_a_port_disturbs_nobody():
    assert play(OPEN) == []
    assert play(OPEN + CLOSE) == []


def test_io0_low_after_the_window_is_too_late():
    late = [(0, 0, 1), (0.1, 0, 0), (STRAP_WINDOW_S + 0.01, 1, 0)]
    assert play(late) == [Reset.HOLD, Reset.APP]


@given(st.lists(st.tuples(st.sampled_from([0, 0.01, 0.5]), st.booleans(), st.booleans())))
def test_nothing_boots_that_was_not_held_before(steps):
    events = play(steps)
    for before, after in zip([None, *events], events, strict=False):
        assert after is Reset.HOLD or before is Reset.HOLD
