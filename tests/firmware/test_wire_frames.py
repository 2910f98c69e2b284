"""The firmware's framing: golden frames, any cut, any garbage."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.wire.framing import Frame, FrameDecoder, encode_frame
from tests.firmware.frame_vectors import VECTORS, make_vectors, text_of
from tests.firmware.wire_library import Frames, Packet, seal

GOLDEN = json.loads(VECTORS.read_text())

PACKETS = st.builds(
    Packet,
    st.integers(0, 255),
    st.integers(0, 65535),
    st.binary(max_size=600) | st.binary(min_size=1, max_size=4).map(lambda unit: unit * 1040),
)
NOISE = st.binary(max_size=300) | st.sampled_from(
    [b"", b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON)\r\n", b"\x05\xe5\x01", b"\xff" * 9000]
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def test_the_vector_file_is_what_the_generator_makes():
    assert VECTORS.read_text() == text_of(make_vectors())


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda v: f"{v['message']}-{v['seq']}")
def test_golden_frames_are_encoded_and_decoded(vector):
    packet = Packet(vector["type"], vector["seq"], bytes.fromhex(vector["body"]))
    frame = bytes.fromhex(vector["frame"])
    assert seal(packet) == frame
    assert Frames().feed(frame) == [packet]


@given(PACKETS)
def test_both_sides_write_the_same_bytes(packet):
    frame = seal(packet)
    assert frame == encode_frame(Frame(packet.type, packet.seq, packet.body))
    assert FrameDecoder().feed(frame) == [Frame(packet.type, packet.seq, packet.body)]


@given(st.lists(st.tuples(NOISE, PACKETS), max_size=5), st.lists(st.integers(0), max_size=12))
def test_any_cut_gives_the_same_frames(items, places):
    """Noise free of zero bytes is skipped, and how the line cuts the stream changes nothing."""
    stream = b"".join(noise.replace(b"\0", b"") + seal(packet) for noise, packet in items)
    frames = Frames()
    found = [packet for piece in cut(stream, places) for packet in frames.feed(piece)]
    assert found == [packet for _, packet in items]


@given(st.lists(PACKETS, min_size=1, max_size=4))
def test_two_frames_may_share_a_zero_byte(packets):
    stream = b"\0" + b"".join(seal(packet)[1:] for packet in packets)
    frames = Frames()
    assert frames.feed(stream) == packets
    assert frames.dropped == 0


@given(st.lists(NOISE, max_size=6), PACKETS)
def test_after_any_garbage_a_zero_byte_starts_afresh(garbage, packet):
    frames = Frames()
    for piece in garbage:
        assert frames.feed(piece + b"\0") == []
    assert frames.feed(seal(packet)) == [packet]


@given(PACKETS, st.data())
def test_a_flipped_bit_is_noise_and_the_next_frame_stands(packet, data):
    frame = bytearray(seal(packet))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= 1 << data.draw(st.integers(0, 7))
    frames = Frames()
    found = frames.feed(bytes(frame)) + frames.feed(seal(packet))
    # A bit of the first zero byte leaves noise before a frame that shares the next zero.
    assert found in ([packet], [packet, packet])
    assert found == [packet] or at in (0, len(frame) - 1)


@given(st.binary(max_size=2000), st.lists(st.integers(0), max_size=6))
def test_both_decoders_find_the_same_in_any_bytes(garbage, places):
    theirs = [part for part in FrameDecoder().feed(garbage) if isinstance(part, Frame)]
    frames = Frames()
    ours = [packet for piece in cut(garbage, places) for packet in frames.feed(piece)]
    assert [Frame(one.type, one.seq, one.body) for one in ours] == theirs


def test_a_packet_longer_than_any_is_noise():
    body = bytes(range(1, 256)) * 17
    too_long = encode_frame(Frame(3, 1, body))
    frames = Frames()
    assert frames.feed(too_long) == []
    assert frames.dropped == 1
    assert frames.feed(seal(Packet(1, 2, b""))) == [Packet(1, 2, b"")]
