"""SLIP frames survive any cut, any content and any noise."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.virtual.slip import MAX_FRAME_BYTES, SlipDecoder, encode_frame

PAYLOADS = st.lists(
    st.binary(min_size=1, max_size=60)
    | st.lists(st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD]), min_size=1, max_size=30).map(bytes),
    max_size=8,
)


@given(PAYLOADS, st.lists(st.integers(0, 600), max_size=12))
def test_any_cut_gives_the_same_frames(payloads, cuts):
    stream = b"".join(encode_frame(payload) for payload in payloads)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = SlipDecoder()
    frames = []
    for start, end in itertools.pairwise(edges):
        frames += decoder.feed(stream[start:end])
    assert frames == payloads


@given(st.binary(max_size=300), PAYLOADS)
def test_good_frames_are_found_after_any_garbage(garbage, payloads):
    stream = garbage + b"".join(encode_frame(payload) for payload in payloads)
    frames = SlipDecoder().feed(stream)
    assert frames[len(frames) - len(payloads) :] == payloads


def test_an_endless_frame_is_dropped_and_the_next_one_found():
    decoder = SlipDecoder()
    assert decoder.feed(b"\xc0" + b"x" * (3 * MAX_FRAME_BYTES)) == []
    assert decoder.feed(encode_frame(b"next")) == [b"next"]
