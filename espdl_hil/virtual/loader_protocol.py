"""The messages of the chip's serial loader: numbers, requests and answers. No I/O.

Source: esptool documentation, "Serial Protocol"; the differences between ROM and stub were checked
against esptool 5.6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np

from espdl_hil.virtual.slip import encode_frame

_HEADER = struct.Struct("<BBHI")
_REQUEST = 0
_RESPONSE = 1
_CHECKSUM_SEED = 0xEF

SYNC_PAYLOAD = b"\x07\x07\x12\x20" + b"\x55" * 32
DATA_HEADER_BYTES = 16


class Op(IntEnum):
    """Command codes."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUDRATE = 0x0F
    FLASH_DEFL_BEGIN = 0x10
    FLASH_DEFL_DATA = 0x11
    FLASH_DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


STUB_ONLY = frozenset({Op.ERASE_FLASH, Op.ERASE_REGION, Op.READ_FLASH, Op.RUN_USER_CODE})
ROM_ONLY = frozenset({Op.READ_FLASH_SLOW})


class Failure(Enum):
    """Why a command failed: the code that the ROM gives, and the one that the stub gives."""

    INVALID_MESSAGE = (0x05, 0xC3)
    UNKNOWN_COMMAND = (0x05, 0xFF)
    FAILED_TO_ACT = (0x06, 0xC4)
    WRONG_CHECKSUM = (0x07, 0xC1)
    WRONG_SIZE = (0x05, 0xC0)
    NOT_IN_FLASH_MODE = (0x06, 0xC6)
    FLASH_READ_LENGTH = (0x0A, 0xC4)
    INFLATE = (0x0B, 0xC7)
    NOT_ENOUGH_DATA = (0x06, 0xC8)
    TOO_MUCH_DATA = (0x0B, 0xC9)


class RefusedError(Exception):
    """A command that the loader answers with a failure; never leaves the loader."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.name)


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it arrived; ``op`` may be unknown."""

    op: int
    checksum: int
    body: bytes


def parse_request(frame: bytes) -> Request | None:
    """Return the command in a frame, or ``None`` for anything else that passes on a line.

    Raises:
        RefusedError: a command header whose size does not fit.
    """
    if len(frame) < _HEADER.size:
        return None
    direction, op, size, checksum = _HEADER.unpack_from(frame)
    if direction != _REQUEST:
        return None
    body = frame[_HEADER.size :]
    if len(body) != size:
        raise RefusedError(Failure.INVALID_MESSAGE)
    return Request(op, checksum, body)


def write_response(op: int, value: int, body: bytes) -> bytes:
    """Return an answer as a frame; ``body`` ends with the status bytes."""
    return encode_frame(_HEADER.pack(_RESPONSE, op, len(body), value) + body)


def write_request(op: int, body: bytes = b"", checksum: int = 0) -> bytes:
    """Return a command as a frame."""
    return encode_frame(_HEADER.pack(_REQUEST, op, len(body), checksum) + body)


SYNC_FRAME = write_request(Op.SYNC, SYNC_PAYLOAD)
"""The frame by which a host asks for the loader.

It cannot be part of a frame of our own wire protocol: it has five zero bytes in a row, and zero
bytes only delimit there.
"""


def xor_checksum(data: bytes) -> int:
    """Return the loader's checksum: all bytes and a seed, exclusive or."""
    return _CHECKSUM_SEED ^ int(np.bitwise_xor.reduce(np.frombuffer(data, np.uint8), initial=0))


def data_block(request: Request) -> tuple[int, bytes]:
    """Return sequence number and payload of a DATA command.

    Raises:
        RefusedError: wrong size or checksum.
    """
    if len(request.body) < DATA_HEADER_BYTES:
        raise RefusedError(Failure.WRONG_SIZE)
    size, sequence = struct.unpack_from("<II", request.body)
    payload = request.body[DATA_HEADER_BYTES:]
    if size != len(payload):
        raise RefusedError(Failure.WRONG_SIZE)
    if xor_checksum(payload) != request.checksum & 0xFF:
        raise RefusedError(Failure.WRONG_CHECKSUM)
    return sequence, payload


def words(request: Request, count: int) -> tuple[int, ...]:
    """Return the first ``count`` words of a command.

    Raises:
        RefusedError: the command is shorter.
    """
    if len(request.body) < 4 * count:
        raise RefusedError(Failure.WRONG_SIZE)
    return struct.unpack_from(f"<{count}I", request.body)
