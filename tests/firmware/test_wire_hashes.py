"""The firmware's own checksums are the published ones."""

from __future__ import annotations

import ctypes
import hashlib
import zlib

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.wire_library import library, sha256

ANY_BYTES = st.binary(max_size=300) | st.builds(
    lambda seed, size: (seed * (size // len(seed) + 1))[:size],
    st.binary(min_size=1, max_size=40),
    st.integers(0, 20_000),
)


@given(ANY_BYTES)
def test_crc_and_adler_are_those_of_zlib(data):
    assert library().wire_crc32(data, len(data)) == zlib.crc32(data)
    assert library().wire_adler32(data, len(data)) == zlib.adler32(data)


@given(ANY_BYTES, st.sampled_from([0, 1, 2**63 + 5]))
def test_xxh64_is_that_of_xxhash(data, seed):
    assert library().wire_xxh64(data, len(data), seed) == xxhash.xxh64(data, seed).intdigest()


@given(ANY_BYTES, st.integers(0, 7))
def test_xxh64_is_the_same_at_any_address(data, offset):
    buffer = ctypes.create_string_buffer(b"?" * 8 + data + b"?", len(data) + 16)
    start = -ctypes.addressof(buffer) % 8 + offset
    buffer[start : start + len(data)] = data
    at = ctypes.cast(ctypes.addressof(buffer) + start, ctypes.c_char_p)
    assert library().wire_xxh64(at, len(data), 0) == xxhash.xxh64(data).intdigest()


@given(ANY_BYTES, st.integers(1, 200))
def test_sha256_in_any_pieces_is_that_of_hashlib(data, piece):
    assert sha256(data, piece) == hashlib.sha256(data).digest()


def test_adler_does_not_overflow_on_the_largest_sums():
    data = b"\xff" * 1_000_000
    assert library().wire_adler32(data, len(data)) == zlib.adler32(data)
