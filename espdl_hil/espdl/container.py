"""The containers around a model: EDL1 and EDL2 headers, PDL1 to PDL3 packs, encryption.

The law of this file: it knows headers and names, never what a payload says. Offsets in errors count
from the start of the data given.

Source: esp-dl 12c0616 fbs_loader/include/fbs_loader.hpp, fbs_loader/pack_espdl_models.py.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from espdl_hil.errors import ConfigError, FormatError

ALIGNMENT = 16
_PLAIN, _AES128_CTR = 0, 1
_EDL_HEADER_BYTES = {b"EDL1": 12, b"EDL2": 16}
_PACK_TABLE_OFFSET = {b"PDL1": 4, b"PDL2": 4, b"PDL3": 56}
_PACK_VERSION_BYTES = 16
_SHA256_OFFSET = 24
_KEY_BYTES = 16
_ONNX_FIRST_BYTE = 0x08
"""The tag of ``ir_version``, which exporters write first."""
_COUNTER = bytes(range(0x10, 0x20))
"""The initial counter block, fixed by the format: one key must not encrypt two models."""


def is_container(data: bytes) -> bool:
    """Whether ``data`` begins as a model file or a pack does."""
    return data[:4] in (*_EDL_HEADER_BYTES, *_PACK_TABLE_OFFSET)


@dataclass(frozen=True, slots=True)
class Payload:
    """The flatbuffer of one model, decrypted, and where it starts in the file."""

    data: bytes | memoryview
    offset: int
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Member:
    """One model file inside the data: a pack's entry, or the whole of a single file.

    Attributes:
        name: file name in the pack; ``""`` for a single file.
        offset: where its own header starts.
        size_bytes: header and payload.
    """

    name: str
    offset: int
    size_bytes: int


def list_members(data: bytes) -> tuple[Member, ...]:
    """The models in ``data``, in file order.

    The SHA-256 of a PDL3 pack is checked. Members may not overlap: a small pack must not stand for
    many large models. Bytes after the last member are allowed (a flash partition is larger than
    its file).

    Raises:
        FormatError: an unknown magic, a header that contradicts the size, a wrong digest.
    """
    magic = bytes(data[:4])
    if magic in _EDL_HEADER_BYTES:
        return (Member("", 0, _single_size(data, 0, "file")),)
    if magic in _PACK_TABLE_OFFSET:
        return _pack_members(data, magic)
    if not data:
        raise FormatError("the file is empty", offset=0, field="magic")
    raise FormatError(
        f"unknown magic {magic!r}", offset=0, field="magic", hint=_hint_at_another_kind(data)
    )


def _hint_at_another_kind(data: bytes) -> str:
    """What to do about a file that is not ours, by how such files begin."""
    if bytes(data[:20]) == b"version https://git-":
        return "this is a pointer of Git LFS; get the file itself: git lfs pull"
    if data[0] == _ONNX_FIRST_BYTE:
        return "if this is an ONNX model, make an .espdl file of it first: espdl-hil quantize"
    return "expected EDL1, EDL2, PDL1, PDL2 or PDL3: is this an .espdl file?"


def choose_member(data: bytes, wanted: str | None = None) -> Member:
    """The model called ``wanted``, or the one of that number; the first one by default.

    Raises:
        FormatError: as ``list_members``; an empty pack.
        ConfigError: there is no such model; names those that are.
    """
    members = list_members(data)
    if wanted is None and members:
        return members[0]
    for member in members:
        if wanted == member.name:
            return member
    if wanted is not None and wanted.isdecimal() and int(wanted) < len(members):
        return members[int(wanted)]
    known = ", ".join(repr(member.name) for member in members) or "none"
    raise ConfigError(f"no member {wanted!r} in the file", hint=f"members: {known}")


def plain_file(data: bytes, wanted: str | None = None, key: bytes | None = None) -> bytes:
    """The file that a board loads: one model, not encrypted; ``data`` itself where it is that.

    Raises:
        FormatError, ConfigError: as ``choose_member`` and ``open_member``.
    """
    member = choose_member(data, wanted)
    payload = open_member(data, member, key)
    if not member.name and member.offset == 0 and not payload.encrypted:
        return data
    return wrap_payload(bytes(payload.data))


def open_member(data: bytes, member: Member, key: bytes | None) -> Payload:
    """The payload of one member, decrypted with ``key`` where it is encrypted.

    Raises:
        FormatError: an unknown mode, or an encrypted payload without ``key``.
        ConfigError: ``key`` is not 16 bytes.
    """
    header_bytes = _EDL_HEADER_BYTES[bytes(data[member.offset : member.offset + 4])]
    (mode,) = struct.unpack_from("<I", data, member.offset + 4)
    start = member.offset + header_bytes
    view = memoryview(data)[start : member.offset + member.size_bytes]
    if mode == _PLAIN:
        return Payload(view, start, encrypted=False)
    if mode != _AES128_CTR:
        raise FormatError(f"unknown encryption mode {mode}", offset=member.offset + 4, field="mode")
    if key is None:
        raise FormatError(
            "the payload is encrypted",
            offset=member.offset + 4,
            field="mode",
            hint="give the 16-byte key that was printed when the file was made",
        )
    return Payload(apply_cipher(bytes(view), key), start, encrypted=True)


def apply_cipher(data: bytes, key: bytes) -> bytes:
    """Encrypt or decrypt a payload (AES-128 in counter mode is its own inverse).

    Raises:
        ConfigError: ``key`` is not 16 bytes.
    """
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"the key has {len(key)} bytes, expected {_KEY_BYTES}", key="key")
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    context = Cipher(algorithms.AES(key), modes.CTR(_COUNTER)).encryptor()
    return bytes(context.update(data) + context.finalize())


def wrap_payload(payload: bytes, key: bytes | None = None) -> bytes:
    """A complete EDL2 file around a payload, encrypted where ``key`` is given."""
    mode = _PLAIN if key is None else _AES128_CTR
    body = payload if key is None else apply_cipher(payload, key)
    return struct.pack("<4sIII", b"EDL2", mode, len(payload), 0) + body


def pack_files(files: Sequence[tuple[str, bytes]], version: str = "v1.0") -> bytes:
    """A PDL3 pack of complete EDL2 files.

    Args:
        files: (name, file) in the order of the pack; names include ``.espdl``.
        version: at most 15 ASCII characters.

    Raises:
        ConfigError: a version that does not fit, or a member that is not a single EDL2 file.
    """
    if not version.isascii() or len(version) >= _PACK_VERSION_BYTES:
        raise ConfigError(f"version {version!r} is not 15 ASCII characters or fewer", key="version")
    names = [name.encode() for name, _ in files]
    table_end = _PACK_TABLE_OFFSET[b"PDL3"] + 4 + 12 * len(files)
    name_offset = table_end
    data_offset = _aligned(table_end + sum(map(len, names)))
    entries, bodies = [], []
    for name, (text, file) in zip(names, files, strict=True):
        if file[:4] != b"EDL2":
            raise ConfigError(f"{text} is not an EDL2 file", key="files")
        body = file + bytes(-len(file) % ALIGNMENT)
        entries.append(struct.pack("<III", data_offset, name_offset, len(name)))
        bodies.append(body)
        name_offset += len(name)
        data_offset += len(body)
    head = struct.pack("<4s16sI32xI", b"PDL3", version.encode(), data_offset, len(files))
    front = head + b"".join(entries) + b"".join(names)
    pack = bytearray(front + bytes(-len(front) % ALIGNMENT) + b"".join(bodies))
    pack[_SHA256_OFFSET : _SHA256_OFFSET + 32] = hashlib.sha256(pack).digest()
    return bytes(pack)


def _aligned(size_bytes: int) -> int:
    return size_bytes + -size_bytes % ALIGNMENT


def _word(data: bytes, offset: int, field: str) -> int:
    if offset + 4 > len(data):
        raise FormatError(
            f"the word lies at {offset}, the file ends at {len(data)}",
            offset=len(data),
            field=field,
            hint="the file was cut, or is not complete yet",
        )
    value: int = struct.unpack_from("<I", data, offset)[0]
    return value


def _single_size(data: bytes, offset: int, field: str) -> int:
    if offset + 4 > len(data):
        raise FormatError(
            f"the model lies at {offset}, the file ends at {len(data)}",
            offset=len(data),
            field=f"{field}.magic",
        )
    magic = bytes(data[offset : offset + 4])
    header_bytes = _EDL_HEADER_BYTES.get(magic)
    if header_bytes is None:
        raise FormatError(
            f"unknown magic {magic!r}, expected EDL1 or EDL2", offset=offset, field=f"{field}.magic"
        )
    length = _word(data, offset + 8, f"{field}.length")
    if header_bytes == 16 and _word(data, offset + 12, f"{field}.reserved"):
        raise FormatError("the word is not zero", offset=offset + 12, field=f"{field}.reserved")
    if length > len(data) - offset - header_bytes:
        raise FormatError(
            f"the payload should have {length} bytes, the file ends at {len(data)}",
            offset=offset + 8,
            field=f"{field}.length",
            hint="the file was cut, or is not complete yet",
        )
    return header_bytes + length


def _pack_members(data: bytes, magic: bytes) -> tuple[Member, ...]:
    if magic == b"PDL3":
        data = _verified_pack(data)
    table = _PACK_TABLE_OFFSET[magic]
    count = _word(data, table, "pack.count")
    names_start = table + 4 + 12 * count
    if names_start > len(data):
        raise FormatError(
            f"{count} entries leave the file, which ends at {len(data)}",
            offset=table,
            field="pack.count",
        )
    members, name_bytes = [], 0
    for index in range(count):
        field = f"pack.entry[{index}]"
        at = table + 4 + 12 * index
        data_offset, name_offset, name_length = struct.unpack_from("<III", data, at)
        name_bytes += name_length
        if name_offset > len(data) or name_length > len(data) - name_offset:
            raise FormatError("the name leaves the file", offset=at + 4, field=f"{field}.name")
        if name_bytes > len(data):
            raise FormatError("the names overlap", offset=at + 8, field=f"{field}.name")
        try:
            name = data[name_offset : name_offset + name_length].decode()
        except UnicodeDecodeError as cause:
            raise FormatError(
                "the name is not UTF-8", offset=name_offset + cause.start, field=f"{field}.name"
            ) from cause
        members.append(Member(name, data_offset, _single_size(data, data_offset, field)))
    _refuse_overlap(members, names_start)
    return tuple(members)


def _refuse_overlap(members: Sequence[Member], names_start: int) -> None:
    end = names_start
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset < end:
            raise FormatError(
                f"member {member.name!r} overlaps what lies before it",
                offset=member.offset,
                field="pack.entry",
            )
        end = member.offset + member.size_bytes


def _verified_pack(data: bytes) -> bytes:
    """The bytes of a PDL3 pack without what follows it, its digest checked."""
    size_bytes = _word(data, 20, "pack.size")
    if size_bytes < _PACK_TABLE_OFFSET[b"PDL3"] + 4 or size_bytes > len(data):
        raise FormatError(
            f"the pack should have {size_bytes} bytes, the file has {len(data)}",
            offset=20,
            field="pack.size",
            hint="the file was cut, or is not complete yet",
        )
    pack = bytearray(data[:size_bytes])
    stored = bytes(pack[_SHA256_OFFSET : _SHA256_OFFSET + 32])
    pack[_SHA256_OFFSET : _SHA256_OFFSET + 32] = bytes(32)
    if hashlib.sha256(pack).digest() != stored:
        raise FormatError(
            "the SHA-256 of the pack does not match its bytes",
            offset=_SHA256_OFFSET,
            field="pack.sha256",
        )
    return bytes(data[:size_bytes])
