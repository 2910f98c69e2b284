"""Headers, packs and encryption, built here by hand from the documented format."""

from __future__ import annotations

import dataclasses
import hashlib
import struct

import pytest

from espdl_hil.errors import ConfigError, FormatError
from espdl_hil.espdl import members, read, read_all, write, write_pack
from espdl_hil.ir.lowered import LoweredModel
from tests.espdl.models import small_model

KEY = bytes(range(16))


def _models() -> dict[str, LoweredModel]:
    return {name: dataclasses.replace(small_model(), name=name) for name in ("a.espdl", "bö.espdl")}


def _edl1(model: LoweredModel) -> bytes:
    payload = write(model)[16:]
    return struct.pack("<4sII", b"EDL1", 0, len(payload)) + payload


def _pack(magic: bytes, files: dict[str, bytes]) -> bytes:
    """PDL1 and PDL2: magic, count, entries, names, padding, members."""
    names = [name.encode() for name in files]
    table = 8 + 12 * len(files)
    data_offset = table + sum(map(len, names))
    padding = b"" if magic == b"PDL1" else bytes(-data_offset % 16)
    data_offset += len(padding)
    entries, name_offset = b"", table
    for name, file in zip(names, files.values(), strict=True):
        entries += struct.pack("<III", data_offset, name_offset, len(name))
        name_offset += len(name)
        data_offset += len(file)
    head = magic + struct.pack("<I", len(files)) + entries + b"".join(names) + padding
    return head + b"".join(files.values())


def _edl1_pack() -> bytes:
    return _pack(b"PDL1", {name: _edl1(model) for name, model in _models().items()})


def _edl2_pack() -> bytes:
    return _pack(b"PDL2", {name: write(model) for name, model in _models().items()})


def test_a_legacy_file_is_read() -> None:
    assert read(_edl1(small_model())) == small_model()
    assert members(_edl1(small_model())) == ("",)


@pytest.mark.parametrize(
    "data", [_edl1_pack(), _edl2_pack(), write_pack(_models())], ids=["PDL1", "PDL2", "PDL3"]
)
def test_a_pack_gives_each_member_by_name_and_number(data: bytes) -> None:
    models = _models()
    assert members(data) == tuple(models)
    assert read_all(data) == tuple(models.values())
    assert read(data) == models["a.espdl"]
    assert read(data, member=1) == models["bö.espdl"]
    assert read(data, member="bö.espdl") == models["bö.espdl"]
    for unknown in (2, -1, "c.espdl"):
        with pytest.raises(FormatError, match="no member"):
            read(data, member=unknown)


def test_a_written_pack_has_its_documented_header() -> None:
    data = write_pack(_models(), version="v2")
    assert data[:24] == b"PDL3" + b"v2".ljust(16, b"\0") + struct.pack("<I", len(data))
    blank = data[:24] + bytes(32) + data[56:]
    assert data[24:56] == hashlib.sha256(blank).digest()
    assert struct.unpack_from("<I", data, 56) == (2,)
    for index in range(2):
        assert struct.unpack_from("<I", data, 60 + 12 * index)[0] % 16 == 0
    assert len(data) % 16 == 0


def test_a_pack_in_a_larger_partition_is_read() -> None:
    assert read_all(write_pack(_models()) + b"\xff" * 100) == tuple(_models().values())
    assert read(write(small_model()) + b"\xff" * 100) == small_model()


def test_any_changed_byte_of_a_signed_pack_is_found() -> None:
    data = bytearray(write_pack(_models()))
    for position in range(0, len(data), 7):
        data[position] ^= 0x10
        with pytest.raises(FormatError):
            members(bytes(data))
        data[position] ^= 0x10
    assert members(bytes(data))


def test_an_encrypted_file_is_read_with_its_key_only() -> None:
    data = write(small_model(), key=KEY)
    plain = write(small_model())
    assert len(data) == len(plain)
    assert data[:16] == b"EDL2" + struct.pack("<III", 1, len(plain) - 16, 0)
    assert read(data, key=KEY) == small_model()
    with pytest.raises(FormatError, match="encrypted") as caught:
        read(data)
    assert "key" in caught.value.hint
    with pytest.raises(FormatError, match="key may be wrong"):
        read(data, key=bytes(16))
    with pytest.raises(ConfigError, match="15 bytes"):
        read(data, key=KEY[:15])


def test_the_cipher_is_aes_in_counter_mode_from_the_fixed_block() -> None:
    """The first key stream block, computed as one AES block of 0x10 to 0x1f."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    block = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor().update(bytes(range(16, 32)))
    plain, data = write(small_model()), write(small_model(), key=KEY)
    assert bytes(a ^ b for a, b in zip(plain[16:32], block, strict=True)) == data[16:32]


def test_two_names_for_one_member_are_refused() -> None:
    data = bytearray(_edl2_pack())
    data[20:24] = data[8:12]
    with pytest.raises(FormatError, match="overlaps"):
        members(bytes(data))


@pytest.mark.parametrize(
    ("data", "offset", "message"),
    [
        (b"", 0, "the file is empty"),
        (b"ONNX" + bytes(60), 0, "unknown magic"),
        (b"EDL2" + struct.pack("<II", 0, 100), 12, "lies at 12, the file ends at 12"),
        (b"EDL2" + struct.pack("<III", 0, 100, 0), 8, "100 bytes"),
        (b"EDL2" + struct.pack("<III", 0, 0, 7), 12, "not zero"),
        (b"EDL2" + struct.pack("<III", 2, 0, 0), 4, "mode 2"),
        (b"EDL2" + struct.pack("<III", 0, 0, 0), 16, "leave the payload"),
        (b"PDL1" + struct.pack("<I", 0xFFFFFFFF), 4, "entries leave the file"),
        (b"PDL2" + struct.pack("<IIII", 1, 0, 1 << 31, 1), 12, "name leaves"),
        (b"PDL2" + struct.pack("<IIII", 1, 1 << 31, 8, 1), 20, "lies at 2147483648"),
        (b"PDL3" + bytes(20), 20, "pack should have"),
    ],
)
def test_a_bad_header_is_named(data: bytes, offset: int, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(data)
    assert caught.value.offset == offset


def test_a_pack_takes_complete_files_and_short_versions_only() -> None:
    with pytest.raises(ConfigError, match="version"):
        write_pack(_models(), version="x" * 16)


def test_an_empty_pack_has_no_member() -> None:
    data = write_pack({})
    assert members(data) == ()
    with pytest.raises(FormatError, match="no member 0"):
        read(data)
