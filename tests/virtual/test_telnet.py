"""The RFC 2217 server without a socket."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.virtual.port import LinesChanged, Received
from espdl_hil.virtual.telnet import ComPortServer

IAC, SB, SE, WILL, DO = 255, 250, 240, 251, 253
COM_PORT = 44


def sub(command: int, value: bytes) -> bytes:
    return bytes((IAC, SB, COM_PORT, command)) + value + bytes((IAC, SE))


def data_of(events) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Received))


STREAM = st.lists(
    st.one_of(
        st.binary(max_size=50).map(lambda data: (data.replace(b"\xff", b"\xff\xff"), data)),
        st.integers(8, 12).map(lambda value: (sub(5, bytes((value,))), b"")),
        st.integers(1, 2**32 - 1).map(
            lambda rate: (sub(1, rate.to_bytes(4, "big").replace(b"\xff", b"\xff\xff")), b"")
        ),
        st.sampled_from([DO, WILL]).map(lambda verb: (bytes((IAC, verb, COM_PORT)), b"")),
    ),
    max_size=10,
)


@given(STREAM, st.lists(st.integers(0, 400), max_size=10))
def test_any_cut_gives_the_same_data_lines_and_answers(stream, cuts):
    raw = b"".join(part for part, _ in stream)
    whole = ComPortServer()
    events = whole.feed(raw)
    assert data_of(events) == b"".join(data for _, data in stream)
    server = ComPortServer()
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    got = [e for a, b in itertools.pairwise(edges) for e in server.feed(raw[a:b])]
    assert data_of(got) == data_of(events)
    lines = [event for event in events if isinstance(event, LinesChanged)]
    assert [event for event in got if isinstance(event, LinesChanged)] == lines
    assert server.reply == whole.reply


@given(st.binary(max_size=300))
def test_garbage_never_stops_the_server(garbage):
    server = ComPortServer()
    server.feed(garbage)
    # Enough to end whatever the garbage began.
    server.feed(bytes(100) + bytes((IAC, SE)))
    server.dtr = False
    assert LinesChanged(dtr=True, rts=server.rts) in server.feed(sub(5, b"\x08"))


def test_options_are_answered_once():
    server = ComPortServer()
    ask = bytes((IAC, WILL, COM_PORT, IAC, DO, COM_PORT, IAC, DO, 99))
    server.feed(ask)
    assert server.reply == bytes((IAC, DO, COM_PORT, IAC, WILL, COM_PORT, IAC, 252, 99))
    server.reply.clear()
    server.feed(ask[:6])
    assert server.reply == b""


def test_a_setting_of_zero_asks_for_the_present_one():
    server = ComPortServer()
    server.feed(sub(1, (921600).to_bytes(4, "big")))
    server.reply.clear()
    server.feed(sub(1, bytes(4)))
    assert server.reply == sub(101, (921600).to_bytes(4, "big"))
