"""The firmware's inflate equals zlib, however the stream is cut, and refuses all else."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.firmware.wire_library import INFLATE, OK, Inflated, inflate

LEVELS = st.integers(0, 9)
STRATEGIES = st.sampled_from(
    [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]
)


def _random_text(seed: int, size: int, symbols: int) -> bytes:
    rng = random.Random(seed)
    weights = [1.6**-at for at in range(symbols)]
    return bytes(rng.choices(range(symbols), weights, k=size))


PLAIN = (
    st.binary(max_size=2000)
    | st.builds(_random_text, st.integers(0), st.integers(0, 70_000), st.integers(1, 256))
    | st.builds(lambda unit, count: unit * count, st.binary(max_size=300), st.integers(0, 400))
)


def deflate(plain: bytes, level: int, strategy: int, window_bits: int = 15) -> bytes:
    coder = zlib.compressobj(level, zlib.DEFLATED, window_bits, 8, strategy)
    return coder.compress(plain) + coder.flush()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


@given(PLAIN, LEVELS, STRATEGIES, st.integers(9, 15), st.lists(st.integers(0, 500), max_size=40))
@example(b"", 9, zlib.Z_DEFAULT_STRATEGY, 15, [])
@example(_random_text(1, 33_000, 3) + b"x" * 33_000, 9, zlib.Z_DEFAULT_STRATEGY, 15, [1] * 300)
def test_any_cut_gives_what_zlib_gives(plain, level, strategy, window_bits, sizes):
    coded = deflate(plain, level, strategy, window_bits)
    assert inflate(cut(coded, sizes), len(plain)) == Inflated(OK, True, plain, "")


@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED])
@pytest.mark.parametrize("level", [0, 6])
def test_a_stream_that_comes_byte_by_byte_is_the_same(level, strategy):
    plain = _random_text(7, 40_000, 40) + bytes(3000)
    coded = deflate(plain, level, strategy)
    pieces = [coded[at : at + 1] for at in range(len(coded))]
    assert inflate(pieces, len(plain)) == Inflated(OK, True, plain, "")


@given(PLAIN, LEVELS, st.data())
def test_an_unfinished_stream_is_a_prefix_and_not_done(plain, level, data):
    coded = deflate(plain, level, zlib.Z_DEFAULT_STRATEGY)
    end = data.draw(st.integers(0, len(coded) - 1))
    result = inflate([coded[:end]], len(plain))
    assert (result.status, result.done) == (OK, False)
    assert plain.startswith(result.plain)
    # What can be decoded has been: nothing is held back that zlib would give.
    assert len(result.plain) >= len(zlib.decompressobj().decompress(coded[:end]))


@given(PLAIN, LEVELS, st.data())
def test_a_damaged_stream_never_passes_for_whole(plain, level, data):
    coded = bytearray(deflate(plain, level, zlib.Z_DEFAULT_STRATEGY))
    at = data.draw(st.integers(0, len(coded) - 1))
    coded[at] ^= 1 << data.draw(st.integers(0, 7))
    result = inflate([bytes(coded)], len(plain))
    assert result.status in (OK, INFLATE)
    assert not result.done or result.plain == plain
    assert len(result.plain) <= len(plain)
    assert bool(result.what) == (result.status == INFLATE)


@given(st.binary(max_size=600), st.lists(st.integers(0, 100), max_size=6))
def test_any_bytes_end_as_in_zlib_or_in_an_error(garbage, sizes):
    coded = b"\x78\x9c" + garbage
    decoder = zlib.decompressobj()
    try:
        plain, ended = decoder.decompress(coded), decoder.eof
    except zlib.error:
        plain, ended = None, False
    result = inflate(cut(coded, sizes), 1 << 20)
    if plain is None:
        # zlib refuses a bad block at its head; here it may first need the bits that prove it bad.
        assert result.status == INFLATE or not result.done
    elif not ended:
        assert (result.status, result.plain) == (OK, plain)
    else:
        assert result.status == INFLATE  # fewer bytes than promised, or some after the end


def test_more_and_fewer_bytes_than_promised_are_errors():
    coded = zlib.compress(b"abc" * 1000)
    more = inflate([coded], 2999)
    assert (more.status, more.done, more.what) == (
        INFLATE,
        False,
        "inflate: more bytes than promised",
    )
    assert len(more.plain) <= 2999
    fewer = inflate([coded], 3001)
    assert (fewer.status, fewer.what) == (INFLATE, "inflate: fewer bytes than promised")


def test_bytes_after_the_end_are_an_error():
    coded = zlib.compress(b"abc")
    assert inflate([coded, b""], 3).done
    assert inflate([coded, b"\0"], 3).what == "zlib: bytes after the end"
    assert inflate([coded + b"\0"], 3).what == "zlib: bytes after the end"


@pytest.mark.parametrize(
    ("bits", "what"),
    [
        # Last block, fixed codes, a match of length 3 at distance 1, end.
        ("1 10 0000001 00000 0000000", "deflate: match before the start"),
        ("1 10 00110000 0000001 11110", "deflate: distance symbol"),
        ("1 10 11000110", "deflate: length symbol"),
        ("1 11", "deflate: block type 3"),
        ("1 00 00000 " + "0" * 32, "deflate: size of a stored block"),
        ("1 01 01111 00000 0000", "deflate: too many codes"),
        # Dynamic: 257 codes, 1 distance, code lengths for 16, 17, 18, 0 of which all are 0.
        ("1 01 00000 00000 0000 000 000 000 000", "deflate: code of code lengths"),
        # Lengths for 16 (repeat) and 0; the first symbol repeats nothing.
        ("1 01 00000 00000 0000 100 000 000 100 1 00", "deflate: repeat of nothing"),
        # Lengths for 18 (a run of zeros) and 0: 138 and 120 zeros are all 258, or 138 too many.
        (
            "1 01 00000 00000 0000 000 000 100 100 1 1111111 1 1011011",
            "deflate: block without an end",
        ),
        (
            "1 01 00000 00000 0000 000 000 100 100 1 1111111 1 1111111",
            "deflate: repeat beyond the codes",
        ),
    ],
)
def test_each_kind_of_nonsense_has_its_name(bits, what):
    bits = bits.replace(" ", "")
    bits += "0" * (-len(bits) % 8 + 32)
    coded = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    result = inflate([b"\x78\x9c" + coded], 1 << 20)
    assert (result.status, result.what) == (INFLATE, what)
    with pytest.raises(zlib.error):
        zlib.decompress(b"\x78\x9c" + coded)


def test_an_error_stays():
    coded = bytearray(zlib.compress(b"abc" * 100))
    coded[-1] ^= 1
    result = inflate([bytes(coded), zlib.compress(b"abc")], 300)
    assert (result.status, result.what) == (INFLATE, "zlib: Adler-32 does not match")


def test_a_preset_dictionary_is_refused():
    coder = zlib.compressobj(zdict=b"conv relu")
    coded = coder.compress(b"conv") + coder.flush()
    assert inflate([coded], 4).what == "zlib: preset dictionary"
