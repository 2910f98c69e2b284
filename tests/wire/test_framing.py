"""The host's framing: any cut gives the same frames, any garbage gives frames and noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espdl_hil.wire.framing import (
    MAX_BODY_BYTES,
    MAX_CODED_BYTES,
    Frame,
    FrameDecoder,
    Noise,
    decode_packet,
    encode_frame,
)
from tests.wire.vectors import VECTORS

FRAMES = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.binary(max_size=700) | st.binary(min_size=1, max_size=3).map(lambda unit: unit * 1386),
)
TEXT = st.sampled_from(
    [b"", b"rst:0x1 (POWERON),boot:0x8\r\n", b"Guru Meditation", b"\x05\xe5\x01", b"x" * 20000]
)


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def fed(decoder: FrameDecoder, parts: list[bytes]) -> tuple[list[Frame], bytes]:
    """The frames, and all noise joined."""
    found = [item for part in parts for item in decoder.feed(part)]
    last = decoder.flush()
    found += [] if last is None else [last]
    noise = b"".join(item.data for item in found if isinstance(item, Noise))
    return [item for item in found if isinstance(item, Frame)], noise


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['message']}-{v['seq']}")
def test_golden_frames_are_encoded_and_decoded(vector):
    frame = Frame(vector["type"], vector["seq"], bytes.fromhex(vector["body"]))
    assert encode_frame(frame) == bytes.fromhex(vector["frame"])
    assert FrameDecoder().feed(bytes.fromhex(vector["frame"])) == [frame]


@given(st.lists(st.tuples(TEXT, FRAMES), max_size=5), st.lists(st.integers(0), max_size=12))
def test_any_cut_gives_the_same_frames_and_the_same_noise(items, places):
    stream = b"".join(text + encode_frame(frame) for text, frame in items)
    frames, noise = fed(FrameDecoder(), pieces(stream, places))
    assert frames == [frame for _, frame in items]
    assert noise == b"".join(text for text, _ in items)


@given(st.lists(FRAMES, min_size=1, max_size=5))
def test_two_frames_may_share_one_zero_byte(frames):
    stream = b"\0".join(encode_frame(frame).strip(b"\0") for frame in frames)
    assert FrameDecoder().feed(b"\0" + stream + b"\0") == frames


@given(st.binary(max_size=5000), st.lists(st.integers(0), max_size=5))
def test_garbage_is_noise_and_never_an_exception(garbage, places):
    frames, noise = fed(FrameDecoder(), pieces(garbage, places))
    # A random CRC-32 hits once in four thousand million: no frame comes out of this.
    assert frames == []
    assert noise == garbage.replace(b"\0", b"")


@given(FRAMES, st.data())
def test_any_flipped_bit_costs_the_frame_and_not_the_next_one(frame, data):
    hurt = bytearray(encode_frame(frame))
    bit = data.draw(st.integers(8, 8 * (len(hurt) - 1) - 1))
    hurt[bit // 8] ^= 1 << (bit % 8)
    after = Frame(1, 2, b"after")
    frames, _ = fed(FrameDecoder(), [bytes(hurt), encode_frame(after)])
    assert frames == [after]


@given(FRAMES, st.data())
def test_half_a_frame_does_not_swallow_the_next_one(frame, data):
    whole = encode_frame(frame)
    half = whole[: data.draw(st.integers(0, len(whole) - 1))]
    after = Frame(1, 2, b"after")
    frames, _ = fed(FrameDecoder(), [half, encode_frame(after)])
    assert frames[-1] == after


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\xff"])
def test_the_largest_body_makes_a_frame_that_is_taken(byte):
    frame = Frame(3, 9, byte * MAX_BODY_BYTES)
    coded = encode_frame(frame)
    assert len(coded) - 2 <= MAX_CODED_BYTES
    assert FrameDecoder().feed(coded) == [frame]


def test_a_body_that_is_too_large_is_noise():
    coded = encode_frame(Frame(3, 9, bytes(MAX_BODY_BYTES + 1)))
    assert all(isinstance(item, Noise) for item in FrameDecoder().feed(coded))


def test_an_endless_run_without_zero_is_handed_on_and_not_hoarded():
    decoder = FrameDecoder()
    noise = 0
    for _ in range(200):
        noise += sum(len(item.data) for item in decoder.feed(b"\xaa" * 1000))
        held = decoder._pending
        assert len(held) <= MAX_CODED_BYTES
    assert noise == 200_000
    assert decoder.feed(encode_frame(Frame(1, 1, b""))) == [Frame(1, 1, b"")]


@pytest.mark.parametrize("magic", [0x00, 0xE4, 0xFF])
def test_a_packet_with_another_magic_is_no_frame(magic):
    import struct
    import zlib

    from cobs import cobs

    packet = struct.pack("<BBH", magic, 1, 1)
    assert decode_packet(cobs.encode(packet + struct.pack("<I", zlib.crc32(packet)))) is None


def test_a_million_random_bytes_with_frames_in_between_lose_no_frame():
    rng = random.Random(7)
    wanted, stream = [], b""
    for seq in range(200):
        frame = Frame(rng.randrange(256), seq, rng.randbytes(rng.randrange(4000)))
        wanted.append(frame)
        stream += rng.randbytes(rng.randrange(2000)) + encode_frame(frame)
    decoder = FrameDecoder()
    found, at = [], 0
    while at < len(stream):
        step = rng.randrange(1, 9000)
        found += [one for one in decoder.feed(stream[at : at + step]) if isinstance(one, Frame)]
        at += step
    assert found == wanted
